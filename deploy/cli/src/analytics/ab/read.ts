import { PipelineError } from '@email-events/core/errors';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { ReportFilter } from '../reports.ts';
import { type Judged, judge, type Test, type Variant } from './judge.ts';

/** By variant, any positive numbers: A=80,B=20. */
export type Split = Readonly<Record<string, number>>;

/** Throws what `wrong` makes of a message. */
export function parseSplit(text: string, wrong: (message: string) => Error): Split {
  const parts = text.split(',').map((part) => /^(.+)=([0-9.]+)%?$/.exec(part.trim()));
  const split = Object.fromEntries(parts.map((part) => [part?.[1] ?? '', Number(part?.[2])]));
  if (parts.includes(null) || Object.values(split).some((share) => !(share > 0)))
    throw wrong('a share for each variant is needed: A=80,B=20');
  return split;
}

/** Tests that are on, or were: campaigns of several variants, the latest first. `limit` counts campaigns. */
export async function readTests(
  clickhouse: ClickHouse,
  filter: Pick<ReportFilter, 'since' | 'campaign' | 'limit'>,
  split?: Split,
): Promise<Judged[]> {
  const { since = 0, campaign, limit } = filter;
  const campaigns =
    campaign === undefined
      ? (await clickhouse.query<{ campaign: string }>(CAMPAIGNS, { since, limit })).map((row) => row.campaign)
      : [campaign];
  if (campaigns.length === 0) return [];
  const [rows, wholes] = await Promise.all([
    clickhouse.query<Row>(VARIANTS, { campaigns }),
    clickhouse.query<Whole>(WHOLE, { campaigns }),
  ]);
  const tests = new Map<string, Test & { variants: Variant[] }>();
  for (const row of rows) {
    const key = JSON.stringify([row.campaign, row.source]);
    const whole = wholes.find((one) => JSON.stringify([one.campaign, one.source]) === key);
    const test = tests.get(key) ?? {
      ...{ campaign: row.campaign, source: row.source, several: Number(whole?.several ?? 0), variants: [] },
      unjudged: { clicked: whole?.clicked ?? null, opened: whole?.opened ?? null },
    };
    test.variants.push({
      ...{ variant: row.variant, sent: Number(row.sent), delivered: Number(row.delivered) },
      ...{ opened: Number(row.opened), clicked: Number(row.clicked) },
    });
    tests.set(key, test);
  }
  return [...tests.values()]
    .map((test) => withAbsent(test, split))
    .filter(({ variants }) => variants.length > 1)
    .sort((a, b) => campaigns.indexOf(a.campaign) - campaigns.indexOf(b.campaign))
    .map((test) => judge(test, split && sharesOf(test, split)));
}

interface Row {
  readonly campaign: string;
  readonly source: string;
  readonly variant: string;
  readonly sent: string;
  readonly delivered: string;
  readonly opened: string;
  readonly clicked: string;
}

interface Whole {
  readonly campaign: string;
  readonly source: string;
  readonly several: string;
  readonly clicked: number | null;
  readonly opened: number | null;
}

/** With the variants that were meant and that nobody got: no row names them, and what is missing is what breaks a split most. */
function withAbsent(test: Test, split: Split = {}): Test {
  const known = new Set(test.variants.map(({ variant }) => variant));
  const absent = Object.keys(split)
    .filter((variant) => !known.has(variant))
    .map((variant) => ({ variant, sent: 0, delivered: 0, opened: 0, clicked: 0, isAbsent: true }) as const);
  const variants = [...test.variants, ...absent].sort((a, b) => (a.variant < b.variant ? -1 : 1));
  return { ...test, variants };
}

function sharesOf({ campaign, variants }: Test, split: Split): number[] {
  const shares = variants.map(({ variant }) => (Object.hasOwn(split, variant) ? split[variant] : undefined));
  const missing = variants.filter((_, at) => shares[at] === undefined).map(({ variant }) => variant);
  if (missing.length > 0)
    throw new PipelineError(
      'CLI_USAGE',
      'reject',
      `--split has no share for ${missing.join(', ')} of ${campaign}`,
    );
  const total = shares.reduce<number>((sum, share = 0) => sum + share, 0);
  return shares.map((share = 0) => share / total);
}

/** Out of the rollup, so that not every event is read to find them. */
const CAMPAIGNS = `SELECT campaign FROM events_hourly AS h
  WHERE h.events > 0 AND h.variant != '' AND h.campaign != '' AND h.hour >= toStartOfHour(fromUnixTimestamp64Milli({since:Int64}))
  GROUP BY campaign HAVING uniqExact(h.variant) > 1 ORDER BY max(h.hour) DESC, campaign LIMIT {limit:UInt64}`;

const VARIANTS = `SELECT campaign, source, variant, sent, delivered, opened, clicked FROM campaign_performance
  WHERE campaign IN {campaigns:Array(String)} AND variant != '' ORDER BY campaign, source, variant`;

/** Of a message of which only a reaction is known nobody can say that it was sent. */
const WHOLE = `SELECT campaign, source, countIf(r.variants > 1) AS several,
    sum(r.unjudged_clicks) / nullIf(sum(r.clicks), 0) AS clicked, sum(r.unjudged_opens) / nullIf(sum(r.opens), 0) AS opened
  FROM (
    SELECT campaign, source, recipient_key, uniqExactIf(m.variant, m.outcome != 'unknown') AS variants,
      sum(m.clicks) AS clicks, sum(m.unjudged_clicks) AS unjudged_clicks, sum(m.opens) AS opens, sum(m.unjudged_opens) AS unjudged_opens
    FROM campaign_messages AS m WHERE campaign IN {campaigns:Array(String)} AND variant != ''
    GROUP BY campaign, source, recipient_key
  ) AS r GROUP BY campaign, source`;
