import type { ClickHouse } from '@email-events/sink-clickhouse';
import { expect, test } from 'vitest';
import { readTests } from './read.ts';

const FILTER = { campaign: 'autumn', limit: 10 };
const SPLIT = { A: 40, B: 40, C: 20 };

/** A server with one campaign: of each variant who got it and who clicked. */
function serverWith(figures: { readonly [variant: string]: readonly [sent: number, clicked: number] }) {
  const of = { campaign: 'autumn', source: 'main' };
  const rows = Object.entries(figures).map(([variant, [sent, clicked]]) => ({
    ...{ ...of, variant, sent: `${sent}`, delivered: `${sent}`, opened: '0', clicked: `${clicked}` },
  }));
  const wholes = [{ ...of, several: '0', clicked: 0, opened: null }];
  const query = async (sql: string) => (sql.includes('campaign_performance') ? rows : wholes);
  return { query } as Partial<ClickHouse> as ClickHouse;
}

test('a variant that was meant and that nobody got breaks the split', async () => {
  const clickhouse = serverWith({ A: [4_000, 400], B: [4_000, 600] });
  const [unseen] = await readTests(clickhouse, FILTER);
  expect(unseen).toMatchObject({ split: { isBroken: false } });
  const [seen] = await readTests(clickhouse, FILTER, SPLIT);
  expect(seen?.split).toMatchObject({ isBroken: true, shares: [0.4, 0.4, 0.2] });
  expect(seen?.variants.map(({ variant, sent }) => [variant, sent])).toEqual([
    ['A', 4_000],
    ['B', 4_000],
    ['C', 0],
  ]);
});

test('as long as that may be chance, the others are compared without it', async () => {
  const [judged] = await readTests(serverWith({ A: [8, 1], C: [4, 2] }), FILTER, SPLIT);
  expect(judged?.split.isBroken).toBe(false);
  expect(judged?.variants.map(({ variant }) => variant)).toEqual(['A', 'B', 'C']);
  expect(judged?.judgements[0]).toMatchObject({
    state: 'ahead',
    leader: 'C',
    pairs: [{ one: 'A', other: 'C' }],
  });
});

test('one that went to everybody alone is a test as well, if others were meant', async () => {
  const clickhouse = serverWith({ A: [5_000, 500] });
  expect(await readTests(clickhouse, FILTER)).toEqual([]);
  const [judged] = await readTests(clickhouse, FILTER, SPLIT);
  expect(judged).toMatchObject({
    split: { isBroken: true },
    judgements: [{ state: 'none' }, { state: 'none' }],
  });
});

test('a variant without a share is refused', async () => {
  const clickhouse = serverWith({ A: [10, 1], D: [10, 1] });
  await expect(readTests(clickhouse, FILTER, SPLIT)).rejects.toMatchObject({ code: 'CLI_USAGE' });
});
