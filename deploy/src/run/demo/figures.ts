import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { RunningPipeline } from '../pipeline.ts';
import { scrape, sumBy } from '../prometheus.ts';

/** Counts of the whole pipeline since its data began. A run is judged by the difference of two of these. */
export interface Totals {
  /** Items that normalize took out of requests, since its process started. */
  readonly items: number;
  /** The durable totals of events, over all partitions. */
  readonly received: number;
  readonly emitted: number;
  readonly duplicates: number;
  readonly eventsDeadLetters: number;
  /** ClickHouse: rows of the base table, sum of the rollup, dead letters of any stage. */
  readonly rows: number;
  readonly rollup: number;
  readonly deadLetters: number;
}

export async function readTotals(
  { admin }: Pick<RunningPipeline, 'admin'>,
  clickhouse: ClickHouse,
): Promise<Totals> {
  const [normalize, events, tables] = await Promise.all([
    scrape(admin.normalize ?? ''),
    scrape(admin.events ?? ''),
    readTables(clickhouse),
  ]);
  const items = sumBy(normalize, 'email_events_normalize_items_total', 'result');
  const totals = sumBy(events, 'email_events_events_total', 'result');
  return {
    items: Object.values(items).reduce((sum, count) => sum + count, 0),
    received: totals.received ?? 0,
    emitted: totals.emitted ?? 0,
    duplicates: totals.duplicate ?? 0,
    eventsDeadLetters: totals.dead_letter ?? 0,
    ...tables,
  };
}

async function readTables(clickhouse: ClickHouse) {
  const [row] = await clickhouse.query<{ rows: string; rollup: string; dead_letters: string }>(
    `SELECT (SELECT count() FROM email_events) AS rows,
            (SELECT sum(events) FROM email_events_hourly) AS rollup,
            (SELECT count() FROM dead_letters FINAL) AS dead_letters`,
  );
  return { rows: Number(row?.rows), rollup: Number(row?.rollup), deadLetters: Number(row?.dead_letters) };
}

export function difference(now: Totals, before: Totals): Totals {
  const keys = Object.keys(now) as (keyof Totals)[];
  return Object.fromEntries(keys.map((key) => [key, now[key] - before[key]])) as unknown as Totals;
}

export const sameTotals = (a: Totals, b: Totals): boolean =>
  Object.values(difference(a, b)).every((count) => count === 0);
