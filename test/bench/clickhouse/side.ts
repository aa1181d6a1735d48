import { setTimeout as pause } from 'node:timers/promises';
import type { EmailEvent } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import { cpuSecondsOf, memoryOf } from '../processors/usage.ts';
import type { TypedRecord } from '../typed-events.ts';

export interface Typed {
  readonly event: EmailEvent;
  /** As `events` writes it. */
  readonly record: TypedRecord;
}

export interface Totals {
  readonly rows: number;
  readonly rollup: number;
  readonly inserts: number;
}

export type Digest = { readonly [column: string]: string };

/** A program that puts typed events into tables of its own. */
export interface SinkSide {
  readonly name: string;
  /** What is there. */
  totals(): Promise<Totals>;
  /** Of each column; the same for the same rows, in whatever order. Undefined: what it writes are no such rows. */
  digest(): Promise<Digest | undefined>;
  /** Puts events into its topics, which it is not to read before its turn. */
  hold(events: Iterable<Typed>): Promise<void>;
  /** Lets it have what lies in its topics. Returns its process, and the CPU that it had taken by then. */
  begin(): Promise<{ readonly pid: number; readonly cpuSeconds: number }>;
  /** After a round. */
  rest(): Promise<void>;
  stop(): Promise<void>;
}

export interface SinkRound {
  readonly rowsPerSecond: number;
  readonly cpuUs: number;
  readonly peakMb: number;
  readonly rowsPerInsert: number;
}

const LOOK_MS = 100;
const LONGEST_MS = 300_000;

/**
 * Lets the side begin, and follows table and rollup until they have so many rows more. The clock runs from the first row that is seen, since a
 * program that is started for its turn has to join its group first. Throws when there are too many rows, or too few after five minutes.
 */
export async function runSinkRound(side: SinkSide, rows: number): Promise<SinkRound> {
  const before = await side.totals();
  const target = before.rows + rows;
  const { pid, cpuSeconds } = await side.begin();
  const started = performance.now();
  let first: { readonly at: number; readonly rows: number } | undefined;
  for (;;) {
    const now = await side.totals();
    const at = performance.now();
    if (now.rows > before.rows) first ??= { at, rows: now.rows };
    if (now.rows > target) throw new Error(`${side.name} has written ${now.rows - target} rows twice`);
    if (now.rows === target && now.rollup === target) {
      const { at: firstAt, rows: seen } = first ?? { at: started, rows: before.rows };
      return {
        rowsPerSecond: ((target - seen) * 1_000) / (at - firstAt),
        cpuUs: ((cpuSecondsOf(pid) - cpuSeconds) * 1e6) / rows,
        peakMb: memoryOf(pid).peakMb,
        rowsPerInsert: rows / (now.inserts - before.inserts),
      };
    }
    if (at - started > LONGEST_MS) throw new Error(`${side.name}: ${now.rows - before.rows} of ${rows} rows`);
    await pause(LOOK_MS);
  }
}

/** Of a side whose tables are there. */
export const tablesOf = (clickhouse: ClickHouse): Pick<SinkSide, 'totals' | 'digest'> => ({
  totals: () => totalsOf(clickhouse),
  digest: () => digestOf(clickhouse),
});

async function totalsOf(clickhouse: ClickHouse): Promise<Totals> {
  const [found] = await clickhouse.query<{ rows: string; inserts: string; rollup: string }>(
    `SELECT count() AS rows, uniqExact(inserted_at) AS inserts,
            (SELECT sum(events) FROM email_events_hourly) AS rollup FROM email_events`,
  );
  return {
    rows: Number(found?.rows),
    inserts: Number(found?.inserts),
    rollup: Number(found?.rollup),
  };
}

async function digestOf(clickhouse: ClickHouse): Promise<Digest> {
  const columns = await columnsOf(clickhouse);
  const sums = columns
    .filter(({ name }) => name !== 'inserted_at')
    .map(({ name }) => `toString(sum(cityHash64(event_id, toString(${name})))) AS ${name}_`);
  const [found = {}] = await clickhouse.query<Digest>(`SELECT ${sums.join(', ')} FROM email_events`);
  return found;
}

/** Of the table of events, in its order. */
export function columnsOf(
  clickhouse: ClickHouse,
): Promise<{ readonly name: string; readonly type: string; readonly default_kind: string }[]> {
  return clickhouse.query(
    `SELECT name, type, default_kind FROM system.columns
     WHERE database = currentDatabase() AND table = 'email_events' ORDER BY position`,
  );
}
