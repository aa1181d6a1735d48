import { createRandom, type Random } from '@email-events/dev/simulate';
import { type ClickHouse, connect, readMigrations } from '@email-events/sink-clickhouse';
import { expect, onTestFinished, test } from 'vitest';
import { statementsOf } from '../../../sinks/clickhouse/src/statements.ts';
import { useStack } from '../../harness/stack.ts';
import { type Comparison, compareVariants, sentInLots } from './simulated.ts';

/** A row of campaign_performance, as far as the view reads it. */
interface Row {
  readonly source: string;
  readonly campaign: string;
  readonly variant: string;
  readonly delivered: number;
  readonly opened: number;
  readonly clicked: number;
}

const RUNS = 1_500;
const LOOKS = 40;

test('the view names a winner in 5 % of simulated A/A tests at most, and what is better by a fifth in 80 % at least', async () => {
  const clickhouse = await makeView([
    ...simulated('none', { size: 3_300, opens: [0.2, 0.2], clicks: [0.03, 0.03] }),
    ...simulated('fifth', { size: 3_300, opens: [0.2, 0.24], clicks: [0.4, 0.48] }),
  ]);
  const shares = await clickhouse.query<{ kind: string; opens: number; clicks: number; b: number }>(
    `SELECT splitByChar(' ', source)[1] AS kind,
            uniqExactIf(source, open_verdict != 'undecided') / uniqExact(source) AS opens,
            uniqExactIf(source, click_verdict != 'undecided') / uniqExact(source) AS clicks,
            uniqExactIf(source, variant = 'B' AND open_verdict = 'better') / uniqExact(source) AS b
     FROM ab_comparison GROUP BY kind ORDER BY kind DESC`,
  );
  const [none, fifth] = shares;
  expect(shares.map(({ kind }) => kind)).toEqual(['none', 'fifth']);
  for (const share of [none?.opens, none?.clicks]) {
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThanOrEqual(0.05);
  }
  for (const share of [fifth?.b, fifth?.clicks]) expect(share).toBeGreaterThanOrEqual(0.8);
});

test('the view says of any counts what the formula says that is simulated without a server', async () => {
  const random = createRandom(5);
  const rows = Array.from({ length: 3_000 }, (_, campaign) => anyCampaign(random, campaign)).flat();
  const clickhouse = await makeView(rows);
  const said = await clickhouse.query<Row & Record<string, number | string | null>>(
    'SELECT * FROM ab_comparison ORDER BY toUInt32(campaign), variant',
  );
  expect(said).toHaveLength(rows.length);
  const campaigns = Map.groupBy(rows, ({ campaign }) => campaign);
  const expected = [...campaigns.values()].flatMap((variants) => {
    const counts = (of: 'opened' | 'clicked') =>
      compareVariants(variants.map((row) => ({ delivered: row.delivered, reacted: row[of] })));
    const clicks = counts('clicked');
    return counts('opened').map((open, variant) => ({ open, click: clicks[variant] as Comparison }));
  });
  for (const [at, { open, click }] of expected.entries()) {
    expectSame(said[at], 'open', open);
    expectSame(said[at], 'click', click);
  }
  // So that it is not all nothing, or all the same.
  const kinds = new Set(expected.map(({ open }) => (open.low === null ? 'nothing' : open.verdict)));
  expect(kinds).toEqual(new Set(['nothing', 'better', 'worse', 'undecided']));
});

function expectSame(row: Record<string, unknown> | undefined, measure: string, comparison: Comparison): void {
  const where = JSON.stringify(row);
  const { difference, low, high, pValue, verdict } = comparison;
  expect(row?.[`${measure}_verdict`], where).toBe(verdict);
  const figures = { difference, difference_low: low, difference_high: high, p_value: pValue };
  for (const [name, value] of Object.entries(figures)) {
    const said = row?.[`${measure}_${name}`];
    if (value === null) expect(said, `${name} of ${where}`).toBeNull();
    else expect(said, `${name} of ${where}`).toBeCloseTo(value, 9);
  }
}

interface Rates {
  readonly size: number;
  readonly opens: readonly number[];
  readonly clicks: readonly number[];
}

/** Each run is a separate source, each look a campaign: the view tells both apart. */
function simulated(kind: string, { size, opens, clicks }: Rates): Row[] {
  const random = createRandom(17);
  const sizes = [size, size];
  return Array.from({ length: RUNS }, (_, run) => {
    const opened = sentInLots(random, { sizes, rates: opens, looks: LOOKS });
    const clicked = sentInLots(random, { sizes, rates: clicks, looks: LOOKS });
    return opened.flatMap((variants, look) =>
      variants.map(({ delivered, reacted }, variant) => ({
        ...{ source: `${kind} ${run}`, campaign: `${look}`, variant: nameOf(variant) },
        ...{ delivered, opened: reacted, clicked: clicked[look]?.[variant]?.reacted ?? 0 },
      })),
    );
  }).flat();
}

/** Two to four variants of any size; some that nothing was delivered of, some that more opened. */
function anyCampaign(random: Random, campaign: number): Row[] {
  const upTo = 10 ** random.int(1, 5);
  return Array.from({ length: random.int(2, 4) }, (_, variant) => {
    const delivered = random.chance(0.05) ? 0 : random.int(1, upTo);
    const opened = random.int(0, random.chance(0.05) ? delivered + 3 : delivered);
    return {
      ...{ source: 'any', campaign: `${campaign}`, variant: nameOf(variant) },
      ...{ delivered, opened, clicked: random.int(0, Math.ceil(delivered / 10)) },
    };
  });
}

const nameOf = (variant: number) => 'ABCD'.charAt(variant);

/** The view of the migration over these rows: a table stands for the view that counts them. */
async function makeView(rows: readonly Row[]): Promise<ClickHouse> {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const address = clickhouseAt(uniqueDatabase('ab'));
  const clickhouse = connect({ ...address, database: 'default' });
  onTestFinished(async () => {
    await clickhouse.command(`DROP DATABASE IF EXISTS ${address.database}`);
    await clickhouse.close();
  });
  await clickhouse.command(`CREATE DATABASE ${address.database}`);
  await clickhouse.command(
    `CREATE TABLE ${address.database}.campaign_performance
     (
       source String, campaign String, variant String, delivered UInt64, opened UInt64, clicked UInt64,
       open_rate Nullable(Float64) DEFAULT opened / nullIf(delivered, 0),
       click_rate Nullable(Float64) DEFAULT clicked / nullIf(delivered, 0)
     ) ENGINE = MergeTree ORDER BY (source, campaign, variant)`,
  );
  const migration = readMigrations().find(({ name }) => name === 'ab_comparison_at_any_time');
  for (const statement of statementsOf(migration?.sql ?? '', address)) await clickhouse.command(statement);
  await clickhouse.insert(
    `INSERT INTO ${address.database}.campaign_performance (source, campaign, variant, delivered, opened, clicked) FORMAT JSONEachRow`,
    chunksOf(rows),
    {},
    AbortSignal.timeout(60_000),
  );
  const inside = connect(address);
  onTestFinished(() => inside.close());
  return inside;
}

function* chunksOf(rows: readonly Row[]): Iterable<Buffer> {
  const size = 10_000;
  for (let at = 0; at < rows.length; at += size) {
    yield Buffer.from(
      rows
        .slice(at, at + size)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(''),
    );
  }
}
