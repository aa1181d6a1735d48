import {
  type InputRecord,
  isOfRecords,
  PipelineError,
  replayOf,
  type UnforeseenFailure,
} from '@email-events/core';
import { toEmailEvent } from '@email-events/esps';
import { type EmailEvent, EVENT_TYPES, type NormalizedBatch } from '@email-events/schemas';
import { Batch, type BatchSettings, type KnownState } from './batch.ts';

/** More single events than that are not told apart: the record as a whole is set aside. */
const MAX_EVENTS = 100;

interface SetAsideRecord {
  readonly batch: Batch;
  /** Whose events fail, by account, where there is one; of a record as a whole, whose events are in it. */
  readonly sources: readonly string[];
}

/**
 * Gives up on a record on which the work fails in an unforeseen way: on those of its events that fail by themselves, so that what
 * others have in the same record goes on; if it is none of them, or very many, on all of it. `normalized`: undefined if even reading it fails.
 * `makeBatch`: an empty one, on the state as committed.
 */
export function setAside(
  record: InputRecord,
  normalized: NormalizedBatch | undefined,
  { error }: UnforeseenFailure,
  makeBatch: () => Batch,
): SetAsideRecord {
  // The message of a foreign error may quote the payload, so only its kind is told.
  const message = `the work on it fails with ${error instanceof Error ? error.name : typeof error}`;
  const events = eventsOf(record, normalized);
  const bad = events.filter(([index, event]) =>
    failsOn(makeBatch(), (batch) => batch.add(record, event, index)),
  );
  if (bad.length > 0 && bad.length <= MAX_EVENTS && normalized?.actions.length === 0) {
    const batch = makeBatch();
    const isBad = new Set(bad.map(([index]) => index));
    const failed = failsOn(batch, () => {
      for (const [index, event] of events)
        if (isBad.has(index)) batch.giveUp(record, event, index, message);
        else batch.add(record, event, index);
    });
    if (!failed) return { batch, sources: sourcesOf(bad) };
  }
  const batch = makeBatch();
  batch.refuse(record, { code: 'EVENTS_RECORD_FAILED', message });
  return { batch, sources: events.length > 0 ? sourcesOf(events) : [''] };
}

type Placed = readonly [index: number, event: EmailEvent];

/** Of a record that was put back, only the events that it was put back for. */
function eventsOf(record: InputRecord, normalized: NormalizedBatch | undefined): Placed[] {
  const only = replayOf(record)?.items ?? null;
  return [...(normalized?.events ?? []).entries()].filter(([index]) => only === null || only.includes(index));
}

/** Adding an event may be fine, and writing what follows from it not. */
function failsOn(batch: Batch, work: (batch: Batch) => void): boolean {
  try {
    work(batch);
    void batch.outputs;
    return false;
  } catch (error) {
    if (!isOfRecords(error)) throw error;
    return true;
  }
}

/** An account with several webhooks is one sender still. */
const sourcesOf = (events: readonly Placed[]) => [
  ...new Set(events.map(([, { source, account }]) => account ?? source)),
];

const AT = Date.UTC(2026, 0, 1);
const NOTHING_KNOWN: KnownState = { has: () => false, recipient: () => undefined };
const RECORD: InputRecord = {
  ...{ topic: 'email.internal.normalized', partition: 0, offset: 0, key: null, value: null },
  ...{ headers: {}, timestamp: AT },
};
/** Events that are good beyond doubt. They are never written. */
const CANARIES = EVENT_TYPES.map((type, i) =>
  toEmailEvent(
    {
      ...{
        type,
        esp_event_type: type,
        occurred_at: AT,
        recipient: `canary${i}@example.com`,
        identity: [type],
      },
      ...(type === 'bounced' ? { bounce_class: 'hard', bounce_category: 'other' } : {}),
      ...(type === 'dropped' ? { drop_reason: 'other' } : {}),
      ...(type === 'unsubscribed' || type === 'subscribed' ? { scope: 'all' } : {}),
      ...(type === 'other' ? { payload: '{}' } : {}),
    },
    {
      ...{ esp: 'standard-webhooks', source: 'canary', request_id: 'canary', received_at: AT },
      ...{ raw_partition: 0, raw_offset: 0, item_index: i },
    },
  ),
);

/** The same work on good events, of each type one. Throws if they do not come out. */
export function checkEvents(settings: BatchSettings): void {
  const batch = new Batch(NOTHING_KNOWN, settings, 0);
  for (const [index, event] of CANARIES.entries()) batch.add(RECORD, event, index);
  if (batch.failures.length > 0 || batch.outputs.length < CANARIES.length)
    throw new PipelineError('EVENTS_RECORD_FAILED', 'deadletter', 'good events do not come out');
}
