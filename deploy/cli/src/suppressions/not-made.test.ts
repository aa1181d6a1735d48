import type { EmailEvent, SuppressionReason } from '@email-events/schemas';
import { expect, test } from 'vitest';
import type { EvidenceRow } from './evidence.ts';
import { judge, placeOf, placesToRead } from './not-made.ts';

const ANN = 'ann@example.com';

const reasonOf = (reason: SuppressionReason['reason'], scope = 'all', event_id = 'e1') => ({
  recipient: ANN,
  reason: { reason, scope, event_id } as SuppressionReason,
});

type Said = Partial<Pick<EmailEvent, 'type' | 'bounce_class' | 'feedback_type' | 'scope' | 'recipient'>>;
const BLANK = { bounce_class: null, feedback_type: null, scope: null };

function row(event_id: string, raw_offset: number, said: Said): EvidenceRow {
  return {
    ...BLANK,
    type: 'bounced',
    ...said,
    event_id,
    recipient: ANN,
    raw_partition: 0,
    raw_offset,
    item_index: 0,
  };
}

const event = (said: Said) =>
  ({ ...BLANK, type: 'bounced', recipient: 'Ann@Example.com', ...said }) as EmailEvent;

const HARD = { bounce_class: 'hard' } as const;
const SOFT = { bounce_class: 'soft' } as const;

function judged(
  reason: ReturnType<typeof reasonOf>,
  rows: readonly EvidenceRow[],
  readings: readonly (readonly EmailEvent[] | undefined)[],
) {
  const known = new Map<string, readonly EmailEvent[]>();
  for (const [n, events] of readings.entries())
    if (events) known.set(placeOf(rows[n] as EvidenceRow), events);
  const { notMade, stillMade, unknown } = judge([reason], new Map([[ANN, rows]]), known, ({ recipient }) =>
    recipient.toLowerCase(),
  );
  return { notMade: notMade.map(({ before, today }) => `${before} → ${today}`), stillMade, unknown };
}

test('what is read as something else today is not made', () => {
  const rows = [row('e1', 1, HARD)];
  expect(judged(reasonOf('hard_bounce'), rows, [[event(SOFT)]])).toEqual({
    ...{ notMade: ['bounced, hard → bounced, soft'], stillMade: 0, unknown: 0 },
  });
  expect(judged(reasonOf('hard_bounce'), rows, [[]]).notMade).toEqual(['bounced, hard → nothing']);
  const left = [row('e1', 1, { type: 'unsubscribed', scope: 'all' })];
  const news = event({ type: 'unsubscribed', scope: 'news' });
  expect(judged(reasonOf('unsubscribe'), left, [[news]]).notMade).toEqual([
    'unsubscribed, all → unsubscribed, news',
  ]);
  const complaint = [row('e1', 1, { type: 'complained' })];
  const notSpam = event({ type: 'complained', feedback_type: 'not-spam' });
  expect(judged(reasonOf('complaint'), complaint, [[notSpam]]).notMade).toHaveLength(1);
});

test('what another event gives too stays', () => {
  const rows = [row('e1', 1, HARD), row('e2', 2, HARD)];
  expect(judged(reasonOf('hard_bounce'), rows, [[event(SOFT)], [event(HARD)]])).toEqual({
    ...{ notMade: [], stillMade: 1, unknown: 0 },
  });
});

test('in doubt it stays: a request that is gone, an event that nobody knows, no single event', () => {
  const rows = [row('e1', 1, HARD), row('e2', 2, HARD)];
  const unknown = { notMade: [], stillMade: 0, unknown: 1 };
  expect(judged(reasonOf('hard_bounce'), rows, [[event(SOFT)], undefined])).toEqual(unknown);
  expect(judged(reasonOf('hard_bounce', 'all', 'e9'), rows, [[event(SOFT)], [event(SOFT)]])).toEqual(unknown);
  for (const reason of [reasonOf('manual'), reasonOf('soft_bounces'), reasonOf('unsubscribe', '*')])
    expect(judged(reason, rows, [[event(SOFT)], [event(SOFT)]])).toEqual(unknown);
});

test('what the item says of another recipient does not matter', () => {
  const others = event({ ...HARD, recipient: 'bob@example.com' });
  expect(judged(reasonOf('hard_bounce'), [row('e1', 1, HARD)], [[others]]).notMade).toEqual([
    'bounced, hard → nothing',
  ]);
});

test('just what may give the reasons is read again', () => {
  const rows = [row('e1', 1, HARD), row('e2', 2, { type: 'complained' })];
  const evidence = new Map([[ANN, rows]]);
  expect(placesToRead([reasonOf('complaint'), reasonOf('manual')], evidence)).toEqual([rows[1]]);
});
