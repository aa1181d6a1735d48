import { type InputRecord, replayOf } from '@email-events/core';
import type { EmailEvent } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { isOlderThanKept, republished } from './backfill.ts';
import { RecentIds } from './known-events.ts';

const record = (offset: number): InputRecord => ({
  topic: 'email.raw',
  partition: 1,
  offset,
  key: null,
  value: Buffer.from('[]'),
  headers: { source: Buffer.from('main') },
  timestamp: 5,
});
const event = (event_id: string, item_index: number) => ({ event_id, item_index }) as EmailEvent;

function run(chunk: Parameters<typeof republished>[0], known: readonly string[]) {
  const seen = new Set(known);
  return republished(
    chunk,
    ({ event_id }) => seen.has(event_id),
    ({ event_id }) => void seen.add(event_id),
  );
}

test('a request is put back once, for its new events by name', () => {
  const one = record(7);
  const chunk = [
    { record: one, event: event('a', 0) },
    { record: one, event: event('b', 2) },
    { record: one, event: event('c', 2) },
    { record: record(8), event: event('d', 0) },
  ];
  const { records, events } = run(chunk, ['a', 'c', 'd']);
  expect(events.map(({ event_id }) => event_id)).toEqual(['b']);
  expect(records).toHaveLength(1);
  const [again] = records;
  expect(again).toMatchObject({ topic: 'email.raw', partition: 1, value: one.value });
  expect(again?.headers?.source).toEqual(Buffer.from('main'));
  expect(replayOf({ headers: again?.headers as InputRecord['headers'] })).toMatchObject({
    reason: 'backfill',
    offset: 7,
    items: [2],
    events: ['b'],
    recordedAt: 5,
  });
});

test('an event that was sent twice is put back once', () => {
  const chunk = [7, 8].map((offset) => ({ record: record(offset), event: event('a', 0) }));
  expect(run(chunk, []).records).toHaveLength(1);
});

test('a request that is put back again keeps the name of its first place', () => {
  const [first] = run([{ record: record(7), event: event('a', 0) }], []).records;
  const copy = { ...record(70), headers: first?.headers as InputRecord['headers'] };
  const [second] = run([{ record: copy, event: event('b', 0) }], []).records;
  expect(replayOf({ headers: second?.headers as InputRecord['headers'] })).toMatchObject({ offset: 7 });
});

test('what is put back in place of another names it as Kafka knows it: its row may have another id', () => {
  const former = { cameOutAs: 'keyed', name: 'former', type: 'other' };
  const chunk = [{ record: record(7), event: event('today', 0) }];
  const { records } = republished(
    chunk,
    () => false,
    () => {},
    new Map([['today', former]]),
  );
  const headers = records[0]?.headers as InputRecord['headers'];
  expect(replayOf({ headers })?.supersedes).toEqual(['former']);
});

test('an event is left whose row may be gone, by the clock of the server, too', () => {
  const [hour, day] = [3_600_000, 86_400_000];
  const of = (occurred_at: number, received_at = 10 * day) =>
    isOlderThanKept({ occurred_at, received_at }, [{ column: 'occurred_at', ms: 2 * day }], 10 * day);
  expect([of(8 * day - 1), of(8 * day + hour - 1), of(8 * day + hour), of(9 * day)]).toEqual([
    ...[true, true, false, false],
  ]);
  const received = [{ column: 'received_at', ms: 2 * day }] as const;
  expect(isOlderThanKept({ occurred_at: 0, received_at: 9 * day }, received, 10 * day)).toBe(false);
  expect(isOlderThanKept({ occurred_at: 0, received_at: 0 }, [], 10 * day)).toBe(false);
});

test('recent ids are remembered, old ones are let go', () => {
  const ids = new RecentIds(10);
  for (let i = 0; i < 100; i++) ids.add(String(i));
  expect([ids.has('99'), ids.has('91'), ids.has('5')]).toEqual([true, true, false]);
});
