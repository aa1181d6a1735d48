import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { createProvider, printProgress, selectProvider } from '@email-events/dev/stack';
import { registerSchemas, topicCatalogue } from '@email-events/schemas';
import { stringify } from 'yaml';
import { publishResult } from '../src/result.ts';
import { memoryOf } from './processors/usage.ts';
import { fillSeenIds, IDS_A_RECORD } from './seen-ids.ts';

/**
 * Fills the changelog of the dedupe window, then times an `events` without a disk until it has all of it, and a second
 * one that finds the store of the first. A third has an empty disk again, is stopped and killed on the way, and must have
 * all of it in the end too.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ids: { type: 'string', default: '10000000' },
      partitions: { type: 'string', default: '1' },
    },
  });
  const load = { ids: Number(values.ids), partitions: Number(values.partitions) };
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const stack = await createProvider(selectProvider(process.env), process.env).start({
    dataDir,
    onProgress: printProgress,
  });
  try {
    const settings = {
      kafka: { brokers: stack.kafka.brokers },
      registry: { url: stack.registry.url },
      topics: { partitions: load.partitions },
      events: { adminPort: 0, stateDir: join(dataDir, 'state') },
    };
    const config = pipelineConfig.parse(settings);
    await applyTopics(config.kafka, topicCatalogue(config.topics));
    await registerSchemas({ url: config.registry.url });
    await fillSeenIds(config, load);
    await measure(settings, dataDir, load);
  } finally {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

interface Load {
  /** Of all partitions together. */
  readonly ids: number;
  readonly partitions: number;
}

async function measure(
  settings: { events: { stateDir: string } },
  dataDir: string,
  { ids, partitions }: Load,
) {
  const file = join(dataDir, 'pipeline.yaml');
  await writeFile(file, stringify(settings));
  const empty = await restored(file, partitions);
  if (empty.ids !== ids) throw new Error(`${empty.ids} of ${ids} ids were restored`);
  const bytes = await storeBytes(settings.events.stateDir, partitions);
  const closed = await restored(file, partitions);
  if (closed.ids !== ids) throw new Error(`${closed.ids} of ${ids} ids were found again`);
  await rm(settings.events.stateDir, { recursive: true });
  const stopSeconds = await interrupted(file, { ids, partitions }, 'SIGTERM');
  await interrupted(file, { ids, partitions }, 'SIGKILL');
  const resumed = await restored(file, partitions);
  if (resumed.ids !== ids) throw new Error(`${resumed.ids} of ${ids} ids after it was interrupted`);
  await publishResult('restore', {
    ids,
    partitions,
    seconds: round(empty.seconds),
    ids_per_second: Math.round(ids / empty.seconds),
    cpu_us_per_id: round((empty.cpuSeconds * 1e6) / ids),
    peak_rss_mb: empty.memory.peakMb,
    anonymous_mb: empty.memory.anonymousMb,
    store_mb: round(bytes / 1e6),
    store_bytes_per_id: round(bytes / ids),
    longest_pause_ms: empty.longestPauseMs,
    well_closed_open_seconds: round(closed.partitionSeconds),
    stop_seconds: round(empty.stopSeconds),
    stop_while_restoring_seconds: round(stopSeconds),
    records_left_after_two_interruptions: resumed.records,
  });
}

function startEvents(configFile: string): ChildProcess {
  const main = new URL('../../processors/src/events/main.ts', import.meta.url).pathname;
  return spawn(process.execPath, [main, '--config', configFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

const metricsAt = async (port: number) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

/** Ends an `events` by this signal when it has read a third of the ids; how long that took, in seconds. */
async function interrupted(
  configFile: string,
  { ids, partitions }: Load,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<number> {
  const child = startEvents(configFile);
  const port = await portOf(child);
  const third = ids / IDS_A_RECORD / 3;
  for (let read = 0; read < third; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const metrics = await metricsAt(port);
    read = sum(metrics, /^email_events_restored_records_total/);
    if (read < third && sum(metrics, /^email_events_restore_seconds_count/) >= partitions) {
      child.kill('SIGKILL');
      throw new Error('the restore was over before it could be interrupted: it takes more --ids');
    }
  }
  const started = performance.now();
  child.kill(signal);
  await new Promise((resolve) => child.once('exit', resolve));
  return (performance.now() - started) / 1_000;
}

/** Starts `events`, waits until its partitions are open, stops it. */
async function restored(configFile: string, partitions: number) {
  const child = startEvents(configFile);
  const port = await portOf(child);
  const started = performance.now();
  let metrics = '';
  const done = () => sum(metrics, /^email_events_restore_seconds_count/) >= partitions;
  for (const deadline = performance.now() + 1_800_000; !done(); ) {
    if (performance.now() > deadline) throw new Error('the restore does not end');
    await new Promise((resolve) => setTimeout(resolve, 100));
    metrics = await metricsAt(port);
  }
  const figures = {
    ids: sum(metrics, /^email_events_state_entries\{.*kind="id"/),
    seconds: (performance.now() - started) / 1_000,
    partitionSeconds: sum(metrics, /^email_events_restore_seconds_sum/) / partitions,
    records: sum(metrics, /^email_events_restored_records_total/),
    cpuSeconds: sum(metrics, /^process_cpu_seconds_total/),
    longestPauseMs: Math.round(sum(metrics, /^nodejs_eventloop_lag_max_seconds/) * 1_000),
    memory: memoryOf(pidOf(child)),
  };
  const stopping = performance.now();
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  return { ...figures, stopSeconds: (performance.now() - stopping) / 1_000 };
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`events ended with ${code}`)));
    child.once('message', (message: { ports: { admin: number } }) => resolve(message.ports.admin));
  });
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('events has no process');
  return pid;
}

async function storeBytes(stateDir: string, partitions: number): Promise<number> {
  let bytes = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const file = join(stateDir, 'email-events.events', String(partition), 'store.mdb');
    if (!existsSync(file)) throw new Error(`there is no store at ${file}`);
    bytes += (await stat(file)).size;
  }
  return bytes;
}

function sum(metrics: string, line: RegExp): number {
  return metrics
    .split('\n')
    .filter((text) => line.test(text))
    .reduce((total, text) => total + Number(text.slice(text.lastIndexOf(' '))), 0);
}

const round = (value: number) => Math.round(value * 100) / 100;
