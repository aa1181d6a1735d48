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
  /** ClickHouse: rows of the base table, sum of the rollup. */
  readonly rows: number;
  readonly rollup: number;
  /** Dead letters of the processors; those of sinks are events that were emitted. */
  readonly deadLetters: number;
  readonly sinkDeadLetters: number;
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
  const [row] = await clickhouse.query<{
    rows: string;
    rollup: string;
    dead_letters: string;
    of_sinks: string;
  }>(
    `SELECT (SELECT count() FROM email_events) AS rows,
            (SELECT sum(events) FROM email_events_hourly) AS rollup,
            (SELECT countIf(stage IN ('normalize', 'events')) FROM dead_letters FINAL) AS dead_letters,
            (SELECT countIf(stage NOT IN ('normalize', 'events')) FROM dead_letters FINAL) AS of_sinks`,
  );
  return {
    rows: Number(row?.rows),
    rollup: Number(row?.rollup),
    deadLetters: Number(row?.dead_letters),
    sinkDeadLetters: Number(row?.of_sinks),
  };
}

export function difference(now: Totals, before: Totals): Totals {
  const keys = Object.keys(now) as (keyof Totals)[];
  return Object.fromEntries(keys.map((key) => [key, now[key] - before[key]])) as unknown as Totals;
}

export const sameTotals = (a: Totals, b: Totals): boolean =>
  Object.values(difference(a, b)).every((count) => count === 0);
