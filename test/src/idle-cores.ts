import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Share of all the machine's cores that nobody used for so long, whoever might have: 0 to 1. 0 if it was interrupted. */
export async function idleShare(ms: number, signal: AbortSignal): Promise<number> {
  const before = times();
  try {
    await delay(ms, undefined, { signal });
  } catch {
    return 0;
  }
  const after = times();
  const all = after.all - before.all;
  return all > 0 ? (after.idle - before.idle) / all : 0;
}

/** Milliseconds since the machine was started, of all cores. */
function times(): { readonly idle: number; readonly all: number } {
  let [idle, all] = [0, 0];
  for (const core of cpus()) {
    idle += core.times.idle;
    for (const ms of Object.values(core.times)) all += ms;
  }
  return { idle, all };
}
