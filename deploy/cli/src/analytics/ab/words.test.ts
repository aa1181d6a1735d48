import { expect, test } from 'vitest';
import { judge, type Test } from './judge.ts';
import { parseSplit } from './read.ts';
import { renderTests, sentencesOf, TEST_COLUMNS, testRows } from './words.ts';

type Figures = readonly [variant: string, sent: number, clicked: number, opened: number];

const testOf = (several: number, ...figures: readonly Figures[]): Test => ({
  ...{ campaign: 'autumn', source: 'main', several, unjudged: { clicked: 0.04, opened: 0.853 } },
  variants: figures.map(([variant, sent, clicked, opened]) => ({
    ...{ variant, sent, delivered: sent, clicked, opened },
  })),
});

test.each<[says: string, Test, shares?: number[]]>([
  [
    'clicks: B wins. 13.0 % against 10.0 % of A: +3.0 points, between +1.6 and +4.4; p below 0.001.',
    testOf(0, ['A', 10_000, 1_000, 0], ['B', 10_000, 1_300, 0]),
  ],
  ['clicks: B is ahead, keep going. 12.0 % against 10.0 %', testOf(0, ['A', 500, 50, 0], ['B', 500, 60, 0])],
  ['more recipients of each decide it.', testOf(0, ['A', 500, 50, 0], ['B', 500, 60, 0])],
  ['so close that it may never be decided', testOf(0, ['A', 5_000, 500, 0], ['B', 5_000, 501, 0])],
  [
    'opens: nobody is ahead, keep going. Of 85.3 % of the opens nobody knows whether a machine did them.',
    testOf(0, ['A', 500, 50, 9], ['B', 500, 60, 9]),
  ],
  ['opens: nobody is ahead, keep going.', testOf(0, ['A', 500, 50, 9], ['B', 500, 60, 9])],
  [
    'C is ahead, keep going. 26.2 % against 26.0 % of B',
    testOf(0, ['A', 5_000, 500, 0], ['B', 5_000, 1_300, 0], ['C', 5_000, 1_310, 0]),
  ],
  ['A is behind for sure', testOf(0, ['A', 5_000, 500, 0], ['B', 5_000, 1_300, 0], ['C', 5_000, 1_310, 0])],
  ['clicks: nothing to compare', testOf(0, ['A', 500, 50, 0], ['B', 500, 501, 0])],
  [
    'The split is broken: A 56.0 % (meant 50.0 %), B 44.0 % (meant 50.0 %); p below 0.001. Find out why first',
    testOf(0, ['A', 5_600, 500, 0], ['B', 4_400, 900, 0]),
  ],
  ['500 recipients got several variants', testOf(500, ['A', 5_000, 500, 0], ['B', 5_000, 900, 0])],
  ['clicks: B wins', testOf(0, ['A', 8_000, 800, 0], ['B', 2_000, 400, 0]), [0.8, 0.2]],
  ['B\\x1b[2J wins', testOf(0, ['A', 8_000, 800, 0], ['B\u001b[2J', 8_000, 1_600, 0])],
])('%s', (says, test, shares) => {
  expect(sentencesOf(judge(test, shares)).join('\n')).toContain(says);
});

test('where most is judged, nothing is said of it', () => {
  const [clicks] = sentencesOf(judge(testOf(0, ['A', 10_000, 1_000, 0], ['B', 10_000, 1_300, 0])));
  expect(clicks).not.toContain('machine');
});

test('no winner is named of a broken split', () => {
  const sentences = sentencesOf(judge(testOf(0, ['A', 5_600, 500, 0], ['B', 4_400, 900, 0])));
  expect(sentences).toHaveLength(1);
  expect(sentences[0]).not.toContain('wins');
});

test('figures as a table, and as rows', async () => {
  const judged = judge(testOf(0, ['A', 500, 50, 9], ['B', 400, 60, 9]));
  const text = await renderTests([judged, judge(testOf(0, ['A', 0, 0, 0], ['B', 0, 0, 0]))]);
  expect(text).toContain('autumn (main)');
  expect(text).toMatch(/B +400 +400 +60 +15\.0 % +9 +2\.3 %/);
  expect(text).toMatch(/A +0 +0 +0 +– +0 +–/);
  const rows = testRows([judged]);
  expect(rows).toHaveLength(4);
  for (const row of rows) expect(row).toHaveLength(TEST_COLUMNS.length);
});

test('a split is read, or refused', () => {
  const wrong = (message: string) => new Error(message);
  expect(parseSplit('A=80, B=20%', wrong)).toEqual({ A: 80, B: 20 });
  for (const text of ['', 'A', 'A=0,B=1', 'A=-1', 'A=x', 'A=1,'])
    expect(() => parseSplit(text, wrong), text).toThrow('a share for each variant');
});
