import { PipelineError } from '@email-events/core/errors';
import { counted } from '@email-events/core/wording';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import { type Sample, scrape, sumBy } from '../admin-port.ts';
import { type PipelineConfig, processorsInSql } from '../services.ts';

/** Where the figures of a pipeline are read. */
export interface ReadableDeployment {
  /** URL of each service's admin port, by the service's name. */
  readonly admin: { readonly [service: string]: string };
  readonly config: PipelineConfig;
}

/** Counts of the whole pipeline since its data began. A run is judged by the difference of two of these. */
export interface Totals {
  /** Items that came out of requests: what events received and what normalize dead-lettered. Survives restarts. */
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

/**
 * Throws CLI_UNAVAILABLE while events does not report every partition: it is starting, or partitions are moving, and
 * the sums would be too small.
 */
export async function readTotals(
  { admin, config }: ReadableDeployment,
  clickhouse: ClickHouse,
): Promise<Totals> {
  const [events, { ofNormalize, ...tables }] = await Promise.all([
    scrape(admin.events ?? ''),
    readTables(clickhouse),
  ]);
  requirePartitions(events, config.topics.partitions);
  const totals = sumBy(events, EVENTS_TOTAL, 'result');
  return {
    items: (totals.received ?? 0) + ofNormalize,
    received: totals.received ?? 0,
    emitted: totals.emitted ?? 0,
    duplicates: totals.duplicate ?? 0,
    eventsDeadLetters: totals.dead_letter ?? 0,
    ...tables,
  };
}

const EVENTS_TOTAL = 'email_events_events_total';
const SPOOLED_TOTAL = 'email_events_ingress_spool_spooled_total';

/** Requests that the ingress took while Kafka did not: each of them may have reached Kafka twice. */
export async function readSpooled({ admin }: Pick<ReadableDeployment, 'admin'>): Promise<number> {
  return sumBy(await scrape(admin.ingress ?? ''), SPOOLED_TOTAL, 'service').ingress ?? 0;
}

function requirePartitions(samples: readonly Sample[], wanted: number): void {
  const reported = Object.keys(sumBy(samples, EVENTS_TOTAL, 'partition')).length;
  if (reported >= wanted) return;
  throw new PipelineError(
    'CLI_UNAVAILABLE',
    'retry',
    `events reports ${reported} of ${counted(wanted, 'partition')}`,
  );
}

async function readTables(clickhouse: ClickHouse) {
  const [row] = await clickhouse.query<{
    rows: string;
    rollup: string;
    dead_letters: string;
    of_normalize: string;
    of_sinks: string;
  }>(
    `SELECT (SELECT count() FROM email_events) AS rows,
            (SELECT sum(events) FROM email_events_hourly) AS rollup,
            (SELECT countIf(stage IN (${processorsInSql})) FROM dead_letters FINAL) AS dead_letters,
            (SELECT countIf(stage = 'normalize') FROM dead_letters FINAL) AS of_normalize,
            (SELECT countIf(stage NOT IN (${processorsInSql})) FROM dead_letters FINAL) AS of_sinks`,
  );
  return {
    rows: Number(row?.rows),
    rollup: Number(row?.rollup),
    deadLetters: Number(row?.dead_letters),
    ofNormalize: Number(row?.of_normalize),
    sinkDeadLetters: Number(row?.of_sinks),
  };
}

export function difference(now: Totals, before: Totals): Totals {
  const keys = Object.keys(now) as (keyof Totals)[];
  return Object.fromEntries(keys.map((key) => [key, now[key] - before[key]])) as unknown as Totals;
}

export const sameTotals = (a: Totals, b: Totals): boolean =>
  Object.values(difference(a, b)).every((count) => count === 0);
