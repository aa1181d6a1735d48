import { type ChildProcess, spawn } from 'node:child_process';
import type { Progress, Side } from './side.ts';
import { cpuSecondsOf, type Memory, memoryOf } from './usage.ts';

/** One of the two services as a process of its own. */
export interface ServiceProcess {
  readonly pid: number;
  metrics(): Promise<string>;
  memory(): Memory;
  cpuSeconds(): number;
  stop(): Promise<void>;
}

export interface Ours extends Side {
  readonly normalize: ServiceProcess;
  readonly events: ServiceProcess;
}

const MAIN = (service: string) =>
  new URL(`../../../processors/src/${service}/main.ts`, import.meta.url).pathname;

/** `normalize` and `events` with this configuration. BENCH_PROFILE names a folder for their CPU profiles. */
export async function startOurs(configFile: string): Promise<Ours> {
  const normalize = await startService('normalize', configFile);
  const events = await startService('events', configFile);
  return {
    ...{ name: 'email-events', normalize, events, pids: [normalize.pid, events.pid] },
    progress: () => progressOf([normalize], [events]),
    stop: async () => {
      await Promise.all([normalize.stop(), events.stop()]);
    },
  };
}

/** The same with only `events` counted: its input is there already. */
export const eventsOnly = ({ events }: Ours): Side => ({
  name: 'email-events, events alone',
  pids: [events.pid],
  progress: () => progressOf([], [events]),
  stop: async () => {},
});

/** Of all instances together. Without an instance of `normalize` there is one stage. */
export async function progressOf(
  normalize: readonly ServiceProcess[],
  events: readonly ServiceProcess[],
): Promise<Progress> {
  const pages = (services: readonly ServiceProcess[]) =>
    Promise.all(services.map((service) => service.metrics())).then((texts) => texts.join('\n'));
  const [first, second] = await Promise.all([pages(normalize), pages(events)]);
  const transactions = (metrics: string) => sum(metrics, /^email_events_transaction_seconds_count/);
  return {
    ...(normalize.length === 0
      ? {}
      : { normalized: sum(first, /^email_events_normalize_items_total\{.*result="normalized"/) }),
    received: sum(second, /^email_events_events_total\{.*result="received"/),
    duplicates: sum(second, /^email_events_events_total\{.*result="duplicate"/),
    transactions: transactions(first) + transactions(second),
  };
}

/** Of all lines of a metric that match. */
export function sum(metrics: string, line: RegExp): number {
  return metrics
    .split('\n')
    .filter((text) => line.test(text))
    .reduce((total, text) => total + Number(text.slice(text.lastIndexOf(' '))), 0);
}

/** Resolves when it takes work. */
export function startService(service: 'normalize' | 'events', configFile: string): Promise<ServiceProcess> {
  const profile = process.env.BENCH_PROFILE;
  const flags = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const child = spawn(process.execPath, [...flags, MAIN(service), '--config', configFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${service} ended with ${code}`)));
    child.once('message', (message: { ports: { admin: number } }) => {
      const { pid } = child;
      if (pid === undefined) reject(new Error(`${service} has no process`));
      else resolve(serviceProcess(child, pid, message.ports.admin));
    });
  });
}

const serviceProcess = (child: ChildProcess, pid: number, port: number): ServiceProcess => ({
  pid,
  metrics: () => metricsAt(port),
  memory: () => memoryOf(pid),
  cpuSeconds: () => cpuSecondsOf(pid),
  stop: () =>
    new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill('SIGTERM');
    }),
});

async function metricsAt(port: number): Promise<string> {
  const ask = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  try {
    return await ask();
  } catch {
    // The service has closed the connection that was idle while input was written; the second time there is a new one.
    return ask();
  }
}
