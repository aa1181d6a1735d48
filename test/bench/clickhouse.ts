import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { createProvider, printProgress, selectProvider } from '@email-events/dev/stack';
import { registerSchemas, topicCatalogue } from '@email-events/schemas';
import { type ClickHouse, connect, migrate } from '@email-events/sink-clickhouse';
import { stringify } from 'yaml';
import { publishResult } from '../src/result.ts';
import { produceTypedEvents } from './typed-events.ts';

const MAIN = fileURLToPath(new URL('../../sinks/clickhouse/src/main.ts', import.meta.url));
const DEADLINE_MS = 600_000;

/** Fills the typed topics, then times the sink, in a separate process, until the last row is in ClickHouse. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { rows: { type: 'string', default: '600000' } } });
  const rows = Number(values.rows);
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const stack = await createProvider(selectProvider(process.env), process.env).start({
    dataDir,
    onProgress: printProgress,
  });
  try {
    const settings = {
      kafka: { brokers: stack.kafka.brokers },
      registry: { url: stack.registry.url },
      sinks: { clickhouse: { url: stack.clickhouse.url, database: 'bench', adminPort: 0 } },
    };
    const config = pipelineConfig.parse(settings);
    await applyTopics(config.kafka, topicCatalogue(config.topics));
    await registerSchemas({ url: config.registry.url });
    await migrate(config.sinks.clickhouse);
    await produceTypedEvents(config, rows);
    const file = join(dataDir, 'pipeline.yaml');
    await writeFile(file, stringify(settings));
    const clickhouse = connect(config.sinks.clickhouse);
    await publishResult('clickhouse', await measure(file, clickhouse, rows));
    await clickhouse.close();
  } finally {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function measure(configFile: string, clickhouse: ClickHouse, rows: number) {
  const child = spawn(process.execPath, [...profileFlags(), MAIN, '--config', configFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    await new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', () => reject(new Error('the sink does not start')));
    });
    const start = { at: performance.now(), cpuMs: cpuMsOf(child) };
    const seconds = await secondsUntil(clickhouse, rows, start.at);
    const cpuMs = cpuMsOf(child) - start.cpuMs;
    const [totals] = await clickhouse.query<{ rows: string; inserts: string; rollup: string }>(
      `SELECT count() AS rows, uniqExact(inserted_at) AS inserts, (SELECT sum(events) FROM email_events_hourly) AS rollup
       FROM email_events`,
    );
    return {
      rows,
      rowsInTable: Number(totals?.rows),
      rowsInRollup: Number(totals?.rollup),
      seconds: Number(seconds.toFixed(2)),
      rowsPerSecond: Math.round(rows / seconds),
      cpuMicrosecondsPerRow: Number(((cpuMs * 1_000) / rows).toFixed(2)),
      rowsPerInsert: Math.round(rows / Number(totals?.inserts)),
      peakMemoryMiB: Math.round(peakMemoryKiB(child) / 1_024),
    };
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
}

/** Until table and rollup have them all. */
async function secondsUntil(clickhouse: ClickHouse, rows: number, startedAt: number): Promise<number> {
  for (;;) {
    const [found] = await clickhouse.query<{ rows: string; rollup: string }>(
      'SELECT (SELECT count() FROM email_events) AS rows, (SELECT sum(events) FROM email_events_hourly) AS rollup',
    );
    const elapsed = performance.now() - startedAt;
    if (Number(found?.rows) >= rows && Number(found?.rollup) >= rows) return elapsed / 1_000;
    if (elapsed > DEADLINE_MS) throw new Error(`only ${found?.rows} of ${rows} rows after ${elapsed} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const profileFlags = () =>
  process.env.BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`] : [];

/** User and system time of a process, which Linux counts in hundredths of a second. */
function cpuMsOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function peakMemoryKiB({ pid }: ChildProcess): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
