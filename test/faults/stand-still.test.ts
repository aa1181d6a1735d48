import { expect, test } from 'vitest';
import { positionsIn, type Snapshot } from './positions.ts';
import { type Span, standStillsIn, watchEvidence } from './stand-still.ts';

const GROUPS = ['a', 'b'];
const SECOND = 1_000;

/** One sample a second; `committed` by group, of an end that grows. Undefined: no sample then. */
function samples(
  seconds: number,
  committed: (second: number, group: string) => bigint | null | undefined,
  end: (second: number) => bigint = (second) => BigInt(second + 10),
): Snapshot[] {
  return Array.from({ length: seconds }, (_, second) => ({
    at: second * SECOND,
    answeredAt: second * SECOND,
    positions: GROUPS.flatMap((group) => {
      const at = committed(second, group);
      return at === undefined ? [] : [{ group, topic: 't', partition: 0, committed: at, end: end(second) }];
    }),
  })).filter(({ positions }) => positions.length > 0);
}

const judged = (of: Snapshot[], spans: readonly Span[] = []) => {
  const evidence = watchEvidence(of, spans, GROUPS);
  return {
    wrong: standStillsIn(evidence, GROUPS),
    ms: Object.fromEntries(evidence.longest.map(({ group, ms }) => [group, ms])),
    blindMs: evidence.blindMs,
  };
};

test('who is behind and goes on, however slowly, does not stand still', () => {
  expect(judged(samples(300, (second) => BigInt(Math.floor(second / 29))))).toMatchObject({ wrong: [] });
});

test('who is at the end has nothing to do', () => {
  expect(
    judged(
      samples(
        300,
        () => 50n,
        () => 50n,
      ),
    ),
  ).toMatchObject({ wrong: [], ms: { a: 0, b: 0 } });
});

test('a partition with lag that is not committed for half a minute is caught, also when nothing ever was', () => {
  for (const stuck of [3n, null]) {
    const { wrong, ms } = judged(
      samples(40, (second, group) => (group === 'a' ? stuck : BigInt(second + 10))),
    );
    expect(ms).toEqual({ a: 39 * SECOND, b: 0 });
    expect(wrong).toEqual([`a stood at ${stuck} of 49 on t/0 for 39.0 s`]);
  }
  expect(judged(samples(31, () => 3n)).wrong).toEqual([]);
});

test('a commit that goes back is no progress', () => {
  expect(judged(samples(60, (second) => (second % 2 === 0 ? 5n : 4n))).ms).toEqual({
    a: 59 * SECOND,
    b: 59 * SECOND,
  });
});

test('it begins with the lag, not with the last commit', () => {
  const end = (second: number) => (second < 50 ? 5n : 6n);
  expect(judged(samples(70, () => 5n, end)).ms).toMatchObject({ a: 19 * SECOND });
});

test('it is counted from the end of the last fault that concerned the group, and of no other', () => {
  const stuck = samples(60, () => 3n);
  const spans = [
    { groups: ['a'], from: 0, until: 10 * SECOND },
    { groups: ['a'], from: 5 * SECOND, until: 8 * SECOND },
    { groups: ['a'], from: 35 * SECOND, until: 40 * SECOND },
  ];
  // From the first to the second: 10 s to 34 s; then 40 s to 59 s.
  expect(judged(stuck, spans).ms).toEqual({ a: 24 * SECOND, b: 59 * SECOND });
  expect(judged(stuck, [{ groups: GROUPS, from: 0, until: 100 * SECOND }]).wrong).toEqual([]);
});

test('missing samples neither hide a stand-still nor make one', () => {
  const away = (second: number) => second > 10 && second < 35;
  expect(judged(samples(40, (second) => (away(second) ? undefined : 3n))).ms).toMatchObject({
    a: 39 * SECOND,
  });
  const moving = samples(40, (second) => (away(second) ? undefined : BigInt(second)));
  expect(judged(moving).wrong).toEqual([]);
});

test('a sample that is answered late says nothing of the time before it, and its question ends no stand-still later', () => {
  const late = (of: Snapshot[]) => of.map((sample) => ({ ...sample, answeredAt: sample.at + 8 * SECOND }));
  expect(judged(late(samples(40, () => 3n))).ms).toEqual({ a: 31 * SECOND, b: 31 * SECOND });
  expect(judged(late(samples(38, () => 3n))).wrong).toEqual([]);
});

test('a group that nobody could see, and a time in which nobody looked, are caught', () => {
  const onlyA = samples(40, (second, group) => (group === 'a' ? BigInt(second + 10) : undefined));
  expect(judged(onlyA).wrong).toEqual(['b was never seen']);
  expect(judged([]).wrong).toEqual(['a was never seen', 'b was never seen']);
  const gap = samples(60, (second) => (second > 5 && second < 45 ? undefined : BigInt(second + 10)));
  expect(judged(gap).wrong).toEqual(['nobody watched for 40.0 s']);
  expect(judged(gap, [{ groups: GROUPS, from: 5 * SECOND, until: 30 * SECOND }]).wrong).toEqual([]);
  expect(judged(gap, [{ groups: ['a'], from: 5 * SECOND, until: 30 * SECOND }]).blindMs).toBe(40_000);
});

test('an answer that lacks a partition is no sample', () => {
  const both = [
    { partition: 0, offset: '-1' },
    { partition: 1, offset: '7' },
  ];
  expect(positionsIn('g', 't', 2, both, both)).toEqual([
    { group: 'g', topic: 't', partition: 0, committed: null, end: -1n },
    { group: 'g', topic: 't', partition: 1, committed: 7n, end: 7n },
  ]);
  expect(() => positionsIn('g', 't', 2, both.slice(1), both)).toThrow('no answer about t/0');
  expect(() => positionsIn('g', 't', 2, both, both.slice(0, 1))).toThrow('no answer about t/1');
  expect(() => positionsIn('g', 't', 2, [], both)).toThrow('no answer about t/0');
  expect(() => positionsIn('g', 't', 0, [], [])).toThrow('not in the catalogue');
});
