import { setTimeout as pause } from 'node:timers/promises';
import type { BenchStack } from '../processors/bench-stack.ts';
import { progressOf, type ServiceProcess, startService, sum } from '../processors/ours.ts';
import type { Side } from '../processors/side.ts';

/** Several instances of `normalize` and as many of `events`, each a process with a folder for its state. */
export interface Instances extends Side {
  readonly normalize: readonly ServiceProcess[];
  readonly events: readonly ServiceProcess[];
}

/** One after the other, as a deployment grows. */
export async function startInstances(stack: BenchStack, count: number): Promise<Instances> {
  const normalize: ServiceProcess[] = [];
  const events: ServiceProcess[] = [];
  const stop = async () => {
    await Promise.all([...normalize, ...events].map((service) => service.stop()));
  };
  try {
    for (let i = 0; i < count; i++) {
      const configFile = await stack.instanceFile(`instance-${i}`);
      normalize.push(await startService('normalize', configFile));
      events.push(await startService('events', configFile));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ name: `email-events, ${count} instances`, normalize, events, stop },
    pids: [...normalize, ...events].map(({ pid }) => pid),
    progress: () => progressOf(normalize, events),
  };
}

const LOOK_MS = 500;

/**
 * Resolves when each partition is open at one instance, each instance has its share of them, and the stores have at least so many ids.
 * Throws when that is not so by the deadline (of `performance.now()`).
 */
export async function settled(
  { normalize, events }: Instances,
  { partitions, ids }: { readonly partitions: number; readonly ids: number },
  deadline: number,
): Promise<void> {
  for (;;) {
    const [first, second] = await Promise.all([pagesOf(normalize), pagesOf(events)]);
    const read = first.map((page) => partitionsIn(page, /^email_events_consumer_lag\{.*partition="(\d+)"/));
    const open = second.map((page) =>
      partitionsIn(page, /^email_events_state_entries\{.*partition="(\d+)".*kind="id"/),
    );
    const known = second.reduce(
      (all, page) => all + sum(page, /^email_events_state_entries\{.*kind="id"/),
      0,
    );
    if (isShared(read, partitions) && isShared(open, partitions) && known >= ids) return;
    if (performance.now() > deadline)
      throw new Error(`not settled: normalize has ${told(read)}, events ${told(open)} and ${known} ids`);
    await pause(LOOK_MS);
  }
}

const pagesOf = (services: readonly ServiceProcess[]) =>
  Promise.all(services.map((service) => service.metrics()));

function partitionsIn(page: string, line: RegExp): number[] {
  const found = page.split('\n').map((text) => line.exec(text)?.[1]);
  return [...new Set(found.filter((number) => number !== undefined).map(Number))];
}

/** Each of them at one instance, and at none more than one more than at another. */
export function isShared(byInstance: readonly (readonly number[])[], partitions: number): boolean {
  const all = byInstance.flat();
  const counts = byInstance.map(({ length }) => length);
  return (
    all.length === partitions &&
    new Set(all).size === partitions &&
    Math.max(...counts) - Math.min(...counts) <= 1
  );
}

const told = (byInstance: readonly (readonly number[])[]) =>
  byInstance.map(({ length }) => length).join(' + ');
