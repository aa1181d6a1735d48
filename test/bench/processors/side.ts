import { setTimeout as delay } from 'node:timers/promises';
import { cpuSecondsOf } from './usage.ts';

/** A program, or several, that do the work. */
export interface Side {
  readonly name: string;
  readonly pids: readonly number[];
  /** Events since its start. */
  progress(): Promise<Progress>;
  stop(): Promise<void>;
}

export interface Progress {
  /** Events that the first of two stages has made; absent: there is one stage. */
  readonly normalized?: number;
  /** Events that the last stage has taken. */
  readonly received: number;
  readonly duplicates: number;
  /** Transactions so far. */
  readonly transactions: number;
}

/** What a round took. */
export interface Round {
  readonly events: number;
  readonly duplicates: number;
  readonly transactions: number;
  /** From the moment at which the input was there until the last event was through. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The same between the tenth and the ninetieth hundredth of the work. */
  readonly steady: { readonly events: number; readonly seconds: number; readonly cpuSeconds: number };
}

interface Sample {
  readonly at: number;
  readonly cpuSeconds: number;
  /** Events, on the average of the stages. */
  readonly done: number;
}

export interface Following {
  /** How often the side is asked how far it is: asking costs it some CPU as well. */
  readonly everyMs: number;
  readonly longestMs: number;
}

const FOLLOWING: Following = { everyMs: 400, longestMs: 900_000 };

/** Lets the side have its input, and follows it until all of it is done. Throws when it does not get there. */
export async function runRound(
  side: Side,
  events: number,
  release: () => Promise<void>,
  { everyMs, longestMs }: Following = FOLLOWING,
): Promise<Round> {
  const before = await side.progress();
  const target = before.received + events;
  const cpuBefore = cpuOf(side);
  const started = performance.now();
  await release();
  const samples: Sample[] = [];
  for (;;) {
    const now = await side.progress();
    samples.push(sampleOf(side, before, now));
    if (now.received >= target) {
      if (now.received > target)
        throw new Error(`${side.name} took ${now.received - target} events too many`);
      const last = samples.at(-1) ?? { at: started, cpuSeconds: cpuBefore, done: 0 };
      return {
        events,
        duplicates: now.duplicates - before.duplicates,
        transactions: now.transactions - before.transactions,
        seconds: (last.at - started) / 1_000,
        cpuSeconds: last.cpuSeconds - cpuBefore,
        steady: steadyOf(samples, events),
      };
    }
    if (performance.now() - started > longestMs)
      throw new Error(`${side.name} took ${now.received - before.received} of ${events} events, and no more`);
    await delay(everyMs);
  }
}

const cpuOf = ({ pids }: Side) => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);

function sampleOf(side: Side, before: Progress, now: Progress): Sample {
  const received = now.received - before.received;
  const normalized = now.normalized === undefined ? received : now.normalized - (before.normalized ?? 0);
  return { at: performance.now(), cpuSeconds: cpuOf(side), done: (received + normalized) / 2 };
}

function steadyOf(samples: readonly Sample[], events: number): Round['steady'] {
  const from = samples.find(({ done }) => done >= events * 0.1);
  const to = samples.findLast(({ done }) => done <= events * 0.9);
  if (!from || !to || to.done <= from.done)
    return { events: Number.NaN, seconds: Number.NaN, cpuSeconds: Number.NaN };
  return {
    events: to.done - from.done,
    seconds: (to.at - from.at) / 1_000,
    cpuSeconds: to.cpuSeconds - from.cpuSeconds,
  };
}
