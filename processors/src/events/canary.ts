import { type InputRecord, PipelineError } from '@email-events/core';
import { toEmailEvent } from '@email-events/esps';
import { EVENT_TYPES } from '@email-events/schemas';
import { Batch, type BatchSettings, type KnownState } from './batch.ts';

const AT = Date.UTC(2026, 0, 1);
const NOTHING_KNOWN: KnownState = { has: () => false, recipient: () => undefined };
const RECORD: InputRecord = {
  ...{ topic: 'email.internal.normalized', partition: 0, offset: 0, key: null, value: null },
  ...{ headers: {}, timestamp: AT },
};
/** Nothing is wrong with them, whatever else comes. They are never written. */
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
