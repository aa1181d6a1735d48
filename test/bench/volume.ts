import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { scrape } from '@email-events/cli/admin-port';
import { type RunningPipeline, startPipeline } from '@email-events/dev/run/pipeline';
import { createReporter } from '@email-events/dev/run/reporter';
import { createPlan, sendPlan } from '@email-events/dev/simulate';
import { eventTopics, topics } from '@email-events/schemas';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { publishResult } from '../src/result.ts';

/**
 * How many bytes an event becomes on its way: in the requests, in each topic as the broker keeps it, and in ClickHouse. A mix of all ESPs with
 * bounces, complaints, unsubscribes and 5 % of repeated events.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { events: { type: 'string', default: '100000' } } });
  const home = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const reporter = createReporter((line) => process.stderr.write(`${line}\n`));
  let pipeline: RunningPipeline | undefined;
  try {
    pipeline = await startPipeline({ home, anyPorts: true, reporter, signal: new AbortController().signal });
    await publishResult('volume', await measure(pipeline, Number(values.events)));
  } finally {
    await pipeline?.stop();
    await rm(home, { recursive: true, force: true });
  }
}

async function measure(pipeline: RunningPipeline, events: number) {
  const plan = createPlan({ seed: 16, events, startTime: Date.now(), runId: 'bench', invalid: 0 });
  const sent = await sendPlan(plan, { baseUrl: pipeline.urls.ingress, credentials: pipeline.sender });
  if (sent.unexpected > 0) throw new Error(`${sent.unexpected} requests were not acknowledged`);
  const { received, emitted } = sent.expected;
  const clickhouse = connect(pipeline.config.sinks.clickhouse);
  try {
    await allInserted(clickhouse, emitted);
    const kept = await bytesByTopic(pipeline.paths.stack);
    const of = (...names: string[]) => names.reduce((sum, name) => sum + (kept.get(name) ?? 0), 0);
    const recipients = await rowsOf(clickhouse, 'SELECT uniqExact(recipient_key) AS rows FROM email_events');
    return {
      ...{ requests: sent.requests, events: received, distinct: emitted, recipients },
      events_per_request: each(received, sent.requests),
      body_bytes_per_request: each(await bodyBytes(pipeline), sent.requests),
      raw_bytes_per_request: each(of(topics.raw), sent.requests),
      normalized_bytes_per_event: each(of(topics.normalized), received),
      seen_bytes_per_event: each(of(topics.seen), received),
      recipient_state_bytes_per_event: each(of(topics.recipientState), received),
      typed_bytes_per_event: each(of(...eventTopics), emitted),
      suppression_bytes_per_event: each(of(topics.suppressions), received),
      tokens_bytes_per_event: each(of(topics.tokens), received),
      clickhouse_bytes_per_row: each(await tableBytes(clickhouse, 'email_events'), emitted),
      clickhouse_rollup_bytes_per_row: each(await tableBytes(clickhouse, 'email_events_hourly'), emitted),
    };
  } finally {
    await clickhouse.close();
  }
}

const each = (all: number, count: number) => Math.round((all / count) * 10) / 10;

const DEADLINE_MS = 300_000;
const LOOK_MS = 500;

async function allInserted(clickhouse: ClickHouse, rows: number): Promise<void> {
  for (const deadline = performance.now() + DEADLINE_MS; ; await pause(LOOK_MS)) {
    const found = await rowsOf(clickhouse, 'SELECT count() AS rows FROM email_events');
    if (found === rows) return;
    if (found > rows) throw new Error(`${found} rows of ${rows} events`);
    if (performance.now() > deadline) throw new Error(`only ${found} of ${rows} rows`);
  }
}

async function rowsOf(clickhouse: ClickHouse, query: string): Promise<number> {
  const [row] = await clickhouse.query<{ rows: string }>(query);
  return Number(row?.rows);
}

/** As large as the parts become once they are merged, indices included. */
async function tableBytes(clickhouse: ClickHouse, table: string): Promise<number> {
  await clickhouse.command(`OPTIMIZE TABLE ${table} FINAL`);
  const [found] = await clickhouse.query<{ bytes: string }>(
    `SELECT sum(bytes_on_disk) AS bytes FROM system.parts
     WHERE active AND database = currentDatabase() AND table = {table:String}`,
    { table },
  );
  return Number(found?.bytes);
}

async function bodyBytes({ admin }: RunningPipeline): Promise<number> {
  if (admin.ingress === undefined) throw new Error('there is no ingress');
  const samples = await scrape(admin.ingress);
  return samples
    .filter(({ name }) => name === 'email_events_ingress_body_bytes_total')
    .reduce((sum, { value }) => sum + value, 0);
}

/** Bytes of the segments of each topic, all partitions together. Of brokers that are processes of this machine. */
async function bytesByTopic(stackDir: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const entries = await readdir(stackDir, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const partition = /^(.+)-\d+$/.exec(basename(entry.parentPath));
    if (!entry.isFile() || !/^\d{20}\.log$/.test(entry.name) || partition?.[1] === undefined) continue;
    const { size } = await stat(join(entry.parentPath, entry.name));
    found.set(partition[1], (found.get(partition[1]) ?? 0) + size);
  }
  if (found.size === 0) throw new Error('no segments of a broker here: volume needs STACK=local');
  return found;
}
