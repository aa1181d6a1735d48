import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect } from '@email-events/sink-clickhouse';
import { stopped } from '../ingress-process.ts';
import { HeldInput } from '../processors/held-input.ts';
import { cpuSecondsOf } from '../processors/usage.ts';
import { type SinkSide, tablesOf } from './side.ts';
import type { SinkStack } from './stack.ts';

const MAIN = fileURLToPath(new URL('../../../sinks/clickhouse/src/main.ts', import.meta.url));

/** BENCH_PROFILE names a folder for its CPU profile. */
export function startSink(configFile: string): Promise<ChildProcess & { readonly pid: number }> {
  const profile = process.env.BENCH_PROFILE;
  const flags = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const child = spawn(process.execPath, [...flags, MAIN, '--config', configFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the sink ended with ${code}`)));
    child.once('message', () => {
      const { pid } = child;
      if (pid === undefined) reject(new Error('the sink has no process'));
      else resolve(Object.assign(child, { pid }));
    });
  });
}

/** This project's sink. It runs all the time: its input is in a transaction, which is committed when it is its turn. */
export async function startOurSink({ config, configFile }: SinkStack): Promise<SinkSide> {
  const clickhouse = connect(config.sinks.clickhouse);
  const child = await startSink(configFile);
  let input: HeldInput | undefined;
  return {
    name: 'sink-clickhouse',
    ...tablesOf(clickhouse),
    hold: async (events) => {
      input = await HeldInput.begin(config.kafka, 'bench.ours');
      for (const { record } of events) await input.add(record);
      await input.flush();
    },
    begin: async () => {
      const cpuSeconds = cpuSecondsOf(child.pid);
      await input?.release();
      return { pid: child.pid, cpuSeconds };
    },
    rest: async () => {},
    stop: async () => {
      await stopped(child);
      await clickhouse.close();
    },
  };
}
