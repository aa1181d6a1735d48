import { deadLetterOf, type InputRecord, replayOf } from '@email-events/core';
import { avroType, createEncoder, type DeadLetter } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { planChange } from './change.ts';
import {
  isMeant,
  isNarrow,
  Ledger,
  type LetterFilter,
  matchesFilter,
  parseId,
  summaryOf,
} from './letters.ts';
import { marked, putBack } from './put-back.ts';

const record: InputRecord = {
  topic: 'email.raw',
  partition: 3,
  offset: 1_042,
  key: null,
  value: Buffer.from('[1,2]'),
  headers: { source: Buffer.from('main') },
  timestamp: 500,
};

function letterOf(item: number | null, more: Partial<DeadLetter> = {}): DeadLetter {
  const failure = {
    stage: 'normalize',
    code: 'A',
    message: 'm',
    firstAt: 1_000,
    esp: 'postmark',
    source: 'main',
  };
  const of = item === null ? {} : { item: { index: item, bytes: Buffer.from('x') } };
  return { ...deadLetterOf(record, { ...failure, ...of }), ...more };
}
const at = (offset: number) => ({ partition: 0, offset: BigInt(offset) });
const anyLetter: LetterFilter = { ids: [], status: 'all' };

test.each([
  ['email.raw/3/1042/17', 'email.raw/3/1042/17', true],
  ['email.raw/3/1042', 'email.raw/3/1042/17', true],
  ['email.raw/3/1042', 'email.raw/3/1042', true],
  ['email.raw/3/104', 'email.raw/3/1042', false],
  ['email.raw/3/1042/1', 'email.raw/3/1042/17', false],
  ['sink-crm:email.raw/3/1042', 'email.raw/3/1042', false],
  ['normalize:email.raw/3/1042', 'email.raw/3/1042', true],
])('%s means %s: %s', (text, id, expected) => {
  expect(isMeant(parseId(text), { id, stage: 'normalize' })).toBe(expected);
});

test.each(['', 'email.raw', 'email.raw/3', 'email.raw/x/1', 'email.raw/3/1/2/3'])('"%s" is no id', (text) => {
  expect(() => parseId(text)).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
});

test('a filter lets through what is all of it', () => {
  const letter = summaryOf(letterOf(null), at(0));
  const matches = (filter: Partial<LetterFilter>) => matchesFilter(letter, { ...anyLetter, ...filter });
  expect(matches({ codes: ['B', 'A'], esps: ['postmark'], status: 'open', since: 1_000, until: 1_001 })).toBe(
    true,
  );
  for (const filter of [
    { codes: ['B'] },
    { esps: ['ses'] },
    { stages: ['events'] },
    { sources: ['other'] },
    { topics: ['email.events.opened'] },
    { status: 'replayed' },
    { since: 1_001 },
    { until: 1_000 },
  ] satisfies Partial<LetterFilter>[])
    expect(matches(filter), JSON.stringify(filter)).toBe(false);
  expect(
    matchesFilter(summaryOf(letterOf(null, { esp: null }), at(0)), { ...anyLetter, esps: ['ses'] }),
  ).toBe(false);
});

test('only a state is no choice of letters', () => {
  expect(isNarrow(anyLetter)).toBe(false);
  expect(isNarrow({ ...anyLetter, codes: undefined })).toBe(false);
  expect(isNarrow({ ...anyLetter, codes: ['A'] })).toBe(true);
});

test('the ledger keeps the newest state of each letter, and where the bytes of their record are', () => {
  const ledger = new Ledger();
  ledger.add(letterOf(0), at(0));
  ledger.add(letterOf(1, { value: null }), at(1));
  ledger.add(letterOf(1, { value: null, status: 'replayed' }), at(2));
  ledger.add(letterOf(null, { stage: 'other', value: null }), at(3));
  const [first, second, other] = ledger.all;
  expect([first?.status, second?.status, ledger.all.length]).toEqual(['open', 'replayed', 3]);
  expect(second && ledger.valueAt(second)).toEqual(at(0));
  expect(other && ledger.valueAt(other)).toBeUndefined();
});

test('a letter that a crashed sink wrote again does not undo what an operator did', () => {
  const letter = letterOf(null);
  const statusAfter = (...letters: DeadLetter[]) => {
    const ledger = new Ledger();
    for (const [offset, each] of letters.entries()) ledger.add(each, at(offset));
    return ledger.all.map(({ status }) => status);
  };
  const replayed = { ...letter, status: 'replayed', replays: 1 };
  const discarded = { ...letter, status: 'discarded' };
  expect(statusAfter(letter, replayed, letter)).toEqual(['replayed']);
  expect(statusAfter(letter, discarded, letter)).toEqual(['discarded']);
  // It was put back and failed again.
  expect(statusAfter(letter, replayed, { ...letter, attempts: 2, replays: 1 })).toEqual(['open']);
  expect(statusAfter(letter, discarded, replayed, { ...letter, replays: 1 })).toEqual(['open']);
});

test('letters of a record are changed together; items without their bytes are left alone', () => {
  const ledger = new Ledger();
  ledger.add(letterOf(0), at(0));
  ledger.add(letterOf(1, { value: null }), at(1));
  ledger.add(letterOf(4, { origin_offset: 9, value: null }), at(2));
  ledger.add(letterOf(null, { origin_offset: 10, value: null }), at(3));
  const replay = planChange(ledger, ledger.all, { status: 'replayed' });
  expect(replay.groups.map(({ letters }) => letters.map(({ id }) => id))).toEqual([
    ['email.raw/3/1042/0', 'email.raw/3/1042/1'],
    // The record itself had no value.
    ['email.raw/3/10'],
  ]);
  expect(replay.problems.map(({ letter }) => letter.id)).toEqual(['email.raw/3/9/4']);
  const discard = planChange(ledger, ledger.all, { status: 'discarded', note: 'no use' });
  expect([discard.groups.length, discard.problems]).toEqual([3, []]);
});

test('a record goes back as it was, for the items of its letters', () => {
  const { value } = record;
  const letters = [letterOf(0, { replays: 1, attempts: 2 }), letterOf(7)];
  const [back] = putBack({ letters, value });
  expect(back).toMatchObject({ topic: 'email.raw', partition: 3, key: null, value });
  const headers = back?.headers as InputRecord['headers'];
  expect(headers.source).toEqual(record.headers.source);
  expect(replayOf({ headers })).toEqual({
    reason: 'dead-letter',
    ...{ topic: 'email.raw', partition: 3, offset: 1_042, recordedAt: 500, sink: null },
    items: [0, 7],
    events: null,
    letters: [
      { item: 0, attempts: 2, firstAt: 1_000, replays: 2 },
      { item: 7, attempts: 1, firstAt: 1_000, replays: 1 },
    ],
  });
  const [whole] = putBack({ letters: [letterOf(null)], value });
  expect(replayOf({ headers: whole?.headers as InputRecord['headers'] })?.items).toBeNull();
});

test.each(['email.events.opened', 'email.suppressions'])(
  'a record of %s goes to the sink that refused it',
  (topic) => {
    const letter = letterOf(null, { stage: 'sink-a', origin_topic: topic });
    const [back] = putBack({ letters: [letter], value: record.value });
    expect(back).toMatchObject({ topic: 'email.internal.replays', partition: 3 });
    expect(replayOf({ headers: back?.headers as InputRecord['headers'] })).toMatchObject({
      sink: 'sink-a',
      topic,
    });
  },
);

test('a mark is the whole letter under the same key', () => {
  const type = avroType('deadLetter');
  const writer = { encoder: createEncoder<DeadLetter>(1, type), deadLetterPartitions: 5, now: 9_000 };
  const letter = letterOf(7);
  const [mark] = marked([letter], { status: 'discarded', note: 'no use' }, writer);
  expect(mark?.key).toBe('email.raw/3/1042/7');
  const decoded = type.fromBuffer(mark?.value?.subarray(5) ?? Buffer.alloc(0)) as DeadLetter;
  expect({ ...decoded }).toEqual({ ...letter, status: 'discarded', note: 'no use', status_at: 9_000 });
  const [replayed] = marked([letter], { status: 'replayed', note: null }, writer);
  const again = type.fromBuffer(replayed?.value?.subarray(5) ?? Buffer.alloc(0)) as DeadLetter;
  expect([again.status, again.replays]).toEqual(['replayed', 1]);
});
