import type { Sink, SinkRecord } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';

/** Numbers in [0, 1) that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A partition of email.suppressions: several states of each recipient, some led to by late events. */
export function suppressionLog(
  random: () => number,
  recipients: number,
  states: number,
): SinkRecord<Suppression>[] {
  return Array.from({ length: states }, (_, offset) => {
    const who = Math.floor(random() * recipients);
    const recipient = `person-${who}@example.com`;
    const suppressed = random() < 0.6;
    // Anywhere in the past: changed_at does not grow with the log, the record's timestamp does.
    const changed_at = 1_700_000_000_000 + Math.floor(random() * 1_000_000);
    const event_id = `event-${offset}`;
    const reason = { reason: 'unsubscribe', scope: 'all', esp: 'postmark', source: 'postmark' } as const;
    const reasons = suppressed
      ? [{ ...reason, since: changed_at, event_id, detail: null, account: null }]
      : [];
    return {
      topic: 'email.suppressions',
      key: recipient,
      value: { recipient, suppressed, reasons, changed_at, event_id, revision: 0 },
      timestamp: 1_750_000_000_000 + offset,
      attempts: 0,
    };
  });
}

/** The states that a CRM must hold in the end. */
export function newestStates(log: readonly SinkRecord<Suppression>[]): Map<string, Suppression> {
  const newest = new Map<string, Suppression>();
  for (const { value } of log) if (value) newest.set(value.recipient, value);
  return newest;
}

export interface Delivery {
  readonly log: readonly SinkRecord<Suppression>[];
  readonly random: () => number;
  /** Makes the sink of each new owner of the partition. */
  readonly newSink: () => Sink<Suppression>;
  /** Called between batches. */
  readonly between: () => Promise<void>;
}

const BATCH = 20;
const CRASH_SHARE = 0.2;
const MAX_WRITES = 3_000;

/**
 * Delivers the log as a group of owners would that come and go: in order, each batch until all of it is delivered, and
 * after a crash from the last commit on, with what was delivered since then a second time.
 */
export async function deliver({ log, random, newSink, between }: Delivery): Promise<{ crashes: number }> {
  let [committed, position, crashes, writes] = [0, 0, 0, 0];
  let sink = newSink();
  while (position < log.length) {
    const end = Math.min(log.length, position + BATCH);
    // Chance alone may spare a whole log, since retries draw from the same numbers; every log sees a crash.
    const crash = random() < CRASH_SHARE || (crashes === 0 && position >= 2 * BATCH);
    const stop = new AbortController();
    const batch = { id: `${position}-${end}`, records: log.slice(position, end) };
    for (let done = false; !done; ) {
      if (++writes > MAX_WRITES) throw new Error('the sink makes no progress');
      const writing = sink.write(batch, stop.signal);
      // The owner dies in the middle of some of its writes; the CRM may still be working on them.
      if (crash) stop.abort();
      const verdicts = await writing;
      if (crash) break;
      if (verdicts.some(({ outcome }) => outcome === 'dead-letter')) throw new Error('a dead letter');
      done = verdicts.every(({ outcome }) => outcome === 'delivered');
      // As the runner does: as long as the sink asks, else some time.
      const asked = verdicts.flatMap((verdict) => (verdict.outcome === 'retry' ? (verdict.afterMs ?? 0) : 0));
      const pauseMs = Math.max(random() * 5, ...asked);
      if (!done) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    if (crash || random() < CRASH_SHARE) {
      crashes++;
      await sink.close();
      sink = newSink();
      position = committed;
    } else {
      position = end;
      if (random() < 0.5) committed = position;
    }
    await between();
  }
  await sink.close();
  return { crashes };
}
