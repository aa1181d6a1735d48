import type { SinkRecord } from '@email-events/core';
import type { EmailEvent } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { CURRENT_CUT, cutOf } from './cut.ts';
import { encodeBatch } from './encode.ts';
import { EXAMPLE } from './example.ts';
import type { ClickHouseValue } from './rows.ts';

const eventAt = (time: string): SinkRecord<ClickHouseValue> => ({
  ...EXAMPLE,
  value: { ...(EXAMPLE.value as EmailEvent), occurred_at: Date.parse(time) },
});

test('the newest month is the first insert, whichever came first, and rows know their place in the batch', async () => {
  const records = ['2026-02-01', '2025-12-31', '2026-03-01', '2026-02-03'].map(eventAt);
  const { inserts } = await encodeBatch(records, cutOf(CURRENT_CUT));
  expect(inserts.map(({ key, indexes }) => [key, indexes])).toEqual([
    ['email_events/202603', [2]],
    ['email_events/202602', [0, 3]],
    ['email_events/202512', [1]],
  ]);
});
