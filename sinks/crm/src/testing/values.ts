import type { SinkBatch, SinkRecord } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import type { CrmAdapter, RecipientState, SuppressedContact } from '../crm.ts';

/** Values for tests of this package. */
export function suppressionOf(fields: Partial<Suppression> = {}): Suppression {
  return {
    recipient: 'ada@example.com',
    suppressed: true,
    reasons: [],
    changed_at: 1_000,
    event_id: 'event-1',
    revision: 0,
    ...fields,
  };
}

export const stateOf = (fields: Partial<Suppression> = {}, recordedAt = 2_000): RecipientState => ({
  suppression: suppressionOf(fields),
  recordedAt,
});

export function recordOf(value: Suppression | null, key = value?.recipient ?? null): SinkRecord<Suppression> {
  return { topic: 'email.suppressions', key, value, timestamp: value?.changed_at ?? 0, attempts: 0 };
}

export const batchOf = (...values: Suppression[]): SinkBatch<Suppression> => ({
  id: values.map(({ event_id }) => event_id).join('+'),
  records: values.map((value) => recordOf(value)),
});

/** All pages of its listing. */
export async function listedBy(adapter: CrmAdapter): Promise<SuppressedContact[]> {
  const listed: SuppressedContact[] = [];
  const pages = adapter.suppressed?.(new AbortController().signal) ?? [];
  for await (const { contacts } of pages) listed.push(...contacts);
  return listed;
}
