import {
  type DeadLetter,
  type Decoder,
  type EmailEvent,
  type EventType,
  eventTopics,
  eventTypeOf,
  type OperatorAction,
  type SchemaKey,
  type SeenBatch,
  type Suppression,
  topics,
} from '@email-events/schemas';
import {
  type EmittedEvent,
  type EventTotals,
  type GroupPosition,
  SeenTotals,
  type SentEvent,
} from '@email-events/test/invariants';

/** A process of `normalize` or `events`. */
export interface Member {
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
}

interface TypedEvent extends EmittedEvent {
  readonly type: EventType;
  readonly key: string | null;
  readonly eventId: string;
}

export interface Outputs {
  readonly events: readonly TypedEvent[];
  /** In the order of their partition. */
  readonly suppressions: readonly Suppression[];
  /** The orders of operators that events took, in the order of their partition. */
  readonly actions: readonly OperatorAction[];
  readonly deadLetters: readonly DeadLetter[];
  /** Sums of the durable totals. */
  readonly totals: EventTotals;
}

/** A request as it lies in email.raw. */
interface TestRequest {
  readonly body: string | Buffer;
  readonly webhookId: string;
  readonly esp?: string;
  readonly partition: number;
}

/** The topology on some Kafka: in memory, or the real one. */
export interface TopologyDriver {
  /** As the ingress writes it. */
  receive(requests: readonly TestRequest[]): Promise<void>;
  /** Writes to the internal topic behind the back of `normalize`. */
  writeInternal(partition: number, value: Buffer): Promise<{ offset: number }>;
  /** An operator’s order, on the partition of its recipient. */
  order(action: OperatorAction): Promise<void>;
  /** As `writeInternal`, in a transaction that is then aborted: no consumer may ever be handed it. */
  abortInternal(partition: number, value: Buffer): Promise<void>;
  startNormalize(): Promise<Member>;
  /** Instances with the same disk share the local state, one after the other. */
  startEvents(disk: string): Promise<Member>;
  loseDisk(disk: string): Promise<void>;
  positions(): Promise<readonly GroupPosition[]>;
  /** Resolves when everything received has been dealt with and committed. */
  idle(): Promise<void>;
  outputs(): Promise<Outputs>;
  close(): Promise<void>;
}

export const PARTITIONS = 3;
export const RAW_PARTITIONS = 2;

/** The topics that a driver reads to know what came out. */
export const OUTPUT_TOPICS = [
  ...eventTopics,
  topics.suppressions,
  topics.operatorActions,
  topics.deadLetters,
  topics.seen,
];

export interface OutputRecordRead {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export async function decodeOutputs(
  records: readonly OutputRecordRead[],
  decoderOf: (key: SchemaKey) => Decoder<unknown>,
): Promise<Outputs> {
  const decoded = async <T>(key: SchemaKey, topic: string) => {
    const decoder = decoderOf(key) as Decoder<T>;
    const found = records.filter((record) => record.topic === topic);
    await decoder.load(found.flatMap(({ value }) => value ?? []));
    return found.map((record) => ({ record, value: decoder.decode(record.value ?? Buffer.alloc(0)) }));
  };
  const valuesOf = async <T>(key: SchemaKey, topic: string) =>
    (await decoded<T>(key, topic)).map(({ value }) => value);
  const events: TypedEvent[] = [];
  for (const topic of eventTopics) {
    const type = eventTypeOf(topic);
    if (!type) continue;
    for (const { record, value } of await decoded<EmailEvent>(type, topic)) {
      const { partition, offset, key } = record;
      const { recipient, event_id: eventId, metadata } = value;
      const name = metadata.name ?? eventId;
      events.push({ name, recipient, topic, partition, offset, type, key: key?.toString() ?? null, eventId });
    }
  }
  const totals = new SeenTotals();
  for (const { record, value } of await decoded<SeenBatch>('seen', topics.seen)) {
    totals.add(record.partition, value);
  }
  return {
    events,
    suppressions: await valuesOf<Suppression>('suppression', topics.suppressions),
    actions: await valuesOf<OperatorAction>('operatorAction', topics.operatorActions),
    deadLetters: await valuesOf<DeadLetter>('deadLetter', topics.deadLetters),
    totals: totals.sum(),
  };
}

interface TestEvent extends SentEvent {
  readonly type: string;
  readonly body: { readonly [name: string]: unknown };
}

/** Makes requests of the canonical format and remembers which distinct events they hold. */
export class Traffic {
  /** Every distinct event that must come out, in the order of its request. */
  readonly sent: SentEvent[] = [];
  private made = 0;

  /** A new event with a new id. Its name travels in its metadata. */
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
