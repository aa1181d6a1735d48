import type { SentEvent } from '@email-events/test/invariants';
import { RAW_PARTITIONS, type TestRequest } from './driver.ts';

export interface TestEvent extends SentEvent {
  readonly type: string;
  readonly body: { readonly [name: string]: unknown };
}

/** Makes requests of the canonical format and remembers which distinct events they hold. */
export class Traffic {
  /** Every distinct event that must come out, in the order of its request. */
  readonly sent: SentEvent[] = [];
  private made = 0;

  /** A new event with an id of its own. Its name travels in its metadata. */
  event(type: string, recipient: string, more: { readonly [name: string]: unknown } = {}): TestEvent {
    const name = `event-${++this.made}`;
    const body = {
      id: `id-${name}`,
      type,
      occurred_at: new Date(Date.UTC(2026, 0, 1) + this.made * 1_000).toISOString(),
      recipient,
      metadata: { name },
      ...more,
    };
    return { name, recipient, type, body };
  }

  /** A request that holds these events and anything else, on the raw partition of its first recipient. */
  request(items: readonly (TestEvent | { readonly bad: unknown })[], webhookId?: string): TestRequest {
    const events = items.filter((item) => 'name' in item);
    for (const { name, recipient } of events) {
      if (!this.sent.some((sent) => sent.name === name)) this.sent.push({ name, recipient });
    }
    return {
      body: JSON.stringify(items.map((item) => ('name' in item ? item.body : item.bad))),
      webhookId: webhookId ?? `webhook-${++this.made}`,
      partition: (events[0]?.recipient.length ?? 0) % RAW_PARTITIONS,
    };
  }

  /** Requests of a few events of many recipients each; a share is sent again, or its events in another request. */
  burst(requests: number): TestRequest[] {
    const all: TestRequest[] = [];
    for (let r = 0; r < requests; r++) {
      // A recipient's requests come in by one raw partition: what comes in by another may overtake.
      const prefix = r % 2 === 0 ? 'r' : 'rr';
      const events = Array.from({ length: 5 }, (_, i) =>
        this.event('opened', `${prefix}${10 + ((r + i) % 20)}@example.com`),
      );
      const request = this.request(events);
      all.push(request);
      if (r % 5 === 1) all.push(request);
      if (r % 5 === 3) all.push(this.request(events));
    }
    return all;
  }
}
