import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProvider, printProgress, selectProvider } from '@email-events/dev/stack';
import { markdownTable } from '@email-events/schemas/tools';
import { type ClickHouse, type ClickHouseAddress, connect, migrate } from '@email-events/sink-clickhouse';
import { writeResult } from '../src/result.ts';
import { insertGenerated, ONE_RECIPIENT } from './analytics/generate.ts';
import { insertRates } from './analytics/insert-rate.ts';
import { questionsOf } from './analytics/questions.ts';

/** More at once is more than the memory of a small server. */
const FILL_ROWS = 200_000;
const STEP_MS = 900_000;

/**
 * What analysts' questions cost: generated events, then each view's latency, rows and bytes read, the bytes of an event in each table, and the rate of
 * inserts with all rollups and without.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      events: { type: 'string', default: '20000000' },
      /** How often each question is asked, after once to warm up. */
      times: { type: 'string', default: '5' },
      /** Inserts of 10,000 rows on each side. */
      inserts: { type: 'string', default: '40' },
    },
  });
  const [events, times, inserts] = [values.events, values.times, values.inserts].map(Number) as [
    number,
    number,
    number,
  ];
  const dir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const stack = await createProvider(selectProvider(process.env), process.env).start({
    dataDir: dir,
    onProgress: printProgress,
  });
  try {
    const address: ClickHouseAddress = { url: stack.clickhouse.url, database: 'bench', username: 'default' };
    await migrate(address);
    const clickhouse = connect(address);
    try {
      const fillSeconds = await fillWith(clickhouse, events);
      const bytes = await bytesByTable(clickhouse, events);
      const latencies = await ask(address, clickhouse, times);
      const rates = await insertRates(address, inserts);
      await writeResult('analytics', {
        ...{ events, fill_rows_per_second: Math.round(events / fillSeconds) },
        ...bytes,
        ...latencies,
        ...rates,
      });
    } finally {
      await clickhouse.close();
    }
  } finally {
    await stack.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function fillWith(clickhouse: ClickHouse, events: number): Promise<number> {
  const started = performance.now();
  for (let from = 0; from < events; from += FILL_ROWS) {
    await clickhouse.command(
      insertGenerated('email_events', from, Math.min(events, from + FILL_ROWS)),
      undefined,
      STEP_MS,
    );
    process.stderr.write(`${Math.min(events, from + FILL_ROWS)} of ${events} events\n`);
  }
  return (performance.now() - started) / 1_000;
}

/** As the tables are, without merging them by force: what a query finds. */
async function bytesByTable(clickhouse: ClickHouse, events: number): Promise<{ [figure: string]: number }> {
  const rows = await clickhouse.query<{ table: string; bytes: string; rows: string; parts: string }>(
    `SELECT table, sum(bytes_on_disk) AS bytes, sum(rows) AS rows, count() AS parts FROM system.parts AS p
     WHERE active AND database = currentDatabase() AND p.rows > 0 GROUP BY table ORDER BY bytes DESC`,
  );
  const table = rows.map((row) => [row.table, row.rows, row.parts, (Number(row.bytes) / events).toFixed(1)]);
  process.stdout.write(`${markdownTable([['table', 'rows', 'parts', 'bytes an event'], ...table])}\n\n`);
  return Object.fromEntries(
    rows.map((row) => [`bytes_an_event_${row.table}`, Number((Number(row.bytes) / events).toFixed(1))]),
  );
}

interface Summary {
  readonly read_rows: string;
  readonly read_bytes: string;
}

async function ask(
  address: ClickHouseAddress,
  clickhouse: ClickHouse,
  times: number,
): Promise<{ [figure: string]: number }> {
  const [one] = await clickhouse.query<{ recipient_key: string; message: string }>(ONE_RECIPIENT);
  if (!one) throw new Error('the generated events lack the message that is asked for');
  const rows: string[][] = [];
  const figures: { [figure: string]: number } = {};
  const byAim = new Map<number, number[]>();
  for (const { name, sql, aimMs } of questionsOf(one)) {
    const cold = await timed(address, sql);
    const warm: number[] = [];
    for (let n = 0; n < times; n++) warm.push((await timed(address, sql)).ms);
    warm.sort((a, b) => a - b);
    if (aimMs !== undefined) byAim.set(aimMs, [...(byAim.get(aimMs) ?? []), ...warm]);
    const worst = warm.at(-1) ?? Number.NaN;
    const median = warm[Math.floor(warm.length / 2)] ?? Number.NaN;
    figures[`${name} ms`] = Math.round(median);
    const { read_rows, read_bytes } = cold.summary;
    rows.push([
      name,
      ...[cold.ms, median, worst].map((ms) => ms.toFixed(0)),
      read_rows,
      (Number(read_bytes) / 1e6).toFixed(1),
      aimMs === undefined ? '' : `${aimMs}`,
    ]);
  }
  const head = ['question', 'first ms', 'median ms', 'worst ms', 'rows read', 'MB read', 'aim ms'];
  process.stdout.write(`${markdownTable([head, ...rows])}\n\n`);
  for (const [aimMs, all] of byAim) {
    const p95 = all.sort((a, b) => a - b)[Math.ceil(all.length * 0.95) - 1] ?? Number.NaN;
    figures[`p95 ms of those with an aim of ${aimMs}`] = Math.round(p95);
    process.stdout.write(`p95 of all warm answers with an aim of ${aimMs} ms: ${p95.toFixed(0)} ms\n`);
  }
  return figures;
}

/** Past the client of the sink, which does not hand on what the server says of a query. */
async function timed(
  { url, database }: ClickHouseAddress,
  sql: string,
): Promise<{ ms: number; summary: Summary }> {
  const started = performance.now();
  const target = `${url}/?database=${database}&wait_end_of_query=1`;
  const answer = await fetch(target, { method: 'POST', body: sql, signal: AbortSignal.timeout(STEP_MS) });
  const body = await answer.text();
  if (!answer.ok) throw new Error(body.slice(0, 500));
  const summary = JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}') as Summary;
  return { ms: performance.now() - started, summary };
}
