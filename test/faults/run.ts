import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { PipelineConfig } from '@email-events/core';
import type { Progress } from '@email-events/deploy/simulate';
import { backlogIn, type GroupPosition } from '../src/invariants.ts';
import { CatchUp, readPositions } from './catch-up.ts';
import { Inflictor } from './inflict.ts';
import { type Finding, judge, type SentEvidence } from './judge.ts';
import type { Survived } from './report.ts';
import { type Deck, type Fault, planFaults } from './schedule.ts';
import { readStoreEvidence, type StoreEvidence } from './store-evidence.ts';
import { readTopicsEvidence, type TopicsEvidence } from './topics-evidence.ts';
import { type Sent, sendTraffic } from './traffic.ts';
import { startWorld, type World } from './world.ts';

export interface FaultRunOptions {
  readonly home: string;
  readonly seed: number;
  readonly events: number;
  /** Events a second. */
  readonly rate: number;
  /** Mean time from one fault to the next. Milliseconds. */
  readonly everyMs: number;
  readonly deck?: Deck;
  readonly instances?: number;
  /** Logs and data stay where they are. */
  readonly keep?: boolean;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface FaultRun {
  readonly faults: readonly Fault[];
  readonly survived: readonly Survived[];
  /** Faults whose target did not come back, and such like. */
  readonly failures: readonly string[];
  readonly findings: readonly Finding[];
  readonly events: { readonly acknowledged: number; readonly emitted: number; readonly retries: number };
  /** From the last request to rest. Milliseconds. */
  readonly drainMs: number;
}

/** Longest time for everything to come to rest once nobody harms anything any more. */
const REST_MS = 240_000;
const POLL_MS = 500;
const NOTE_MS = 15_000;

/** Traffic, faults, rest, and then what everything has come to. Leaves nothing running and nothing on disk. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRun> {
  const { home, note, signal, instances = 2 } = options;
  const world = await startWorld({ home, instances, note, signal });
  try {
    return await run(world, options);
  } finally {
    await world.stop();
    if (!options.keep) await rm(home, { recursive: true, force: true });
  }
}

async function run(world: World, options: FaultRunOptions): Promise<FaultRun> {
  const { seed, events, rate, everyMs, deck, note, signal } = options;
  const durationMs = (events / rate) * 1_000;
  const faults = planFaults({ seed, durationMs, everyMs, ...(deck ? { deck } : {}) });
  note(`seed ${seed}: ${events} events at ${rate} a second, ${faults.length} faults`);
  const watch = new CatchUp(world.direct);
  watch.start();
  const failures: string[] = [];
  const sending = send(world, options);
  const inflicting = inflictAll(world, faults, watch, { note, signal, failures, sending });
  const sent = await sending;
  note(`all sent: ${sent.acknowledged.size} events acknowledged, ${sent.result.retries} attempts repeated`);
  const survived = await inflicting;
  const sentAt = performance.now();
  const positions = await rest(world.direct, note, signal);
  const drainMs = performance.now() - sentAt;
  await watch.stop();
  note(`at rest after ${(drainMs / 1_000).toFixed(1)} s; reading what came out`);
  const topics = await readTopicsEvidence(world.direct);
  const store = await settledStore(world, topics);
  const findings = judge({
    sent: evidenceOf(sent),
    ...{ topics, store, positions, surprises: world.surprises },
  });
  return {
    ...{ faults, survived, failures, findings, drainMs },
    events: {
      acknowledged: sent.acknowledged.size,
      emitted: topics.emitted.length,
      retries: sent.result.retries,
    },
  };
}

function send(world: World, { seed, events, rate, note, signal }: FaultRunOptions): Promise<Sent> {
  let notedAt = performance.now();
  return sendTraffic({
    ...{ baseUrl: world.ingressUrl, credentials: world.sender, seed, events, rate, signal },
    onProgress: ({ distinct, total, eventsPerSecond }: Progress) => {
      if (performance.now() - notedAt < NOTE_MS) return;
      notedAt = performance.now();
      note(`  ${distinct} of ${total} events acknowledged, ${Math.round(eventsPerSecond)} a second`);
    },
  });
}

interface Inflicting {
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
  readonly failures: string[];
  readonly sending: Promise<unknown>;
}

/** Each fault at its time; all that were begun are undone when this resolves. */
async function inflictAll(
  world: World,
  faults: readonly Fault[],
  watch: CatchUp,
  { note, signal, failures, sending }: Inflicting,
): Promise<Survived[]> {
  const inflictor = new Inflictor(world);
  const begin = performance.now();
  const survived: Survived[] = [];
  const caughtUp: Promise<void>[] = [];
  const one = async (fault: Fault) => {
    let mark = watch.mark();
    const { harmedAt, wellAt, done } = await inflictor.inflict(fault, () => {
      mark = watch.mark();
      note(`  ${((performance.now() - begin) / 1_000).toFixed(1)} s: ${describe(fault)}`);
    });
    if (!done) return;
    const passing = watch.passed(fault.target, mark, wellAt).then((passedAt) => {
      const caughtUpMs = passedAt === undefined ? undefined : passedAt - harmedAt;
      survived.push({ kind: fault.kind, target: fault.target, backMs: wellAt - harmedAt, caughtUpMs });
    });
    caughtUp.push(passing);
  };
  const done: Promise<void>[] = [];
  for (const fault of faults) {
    await delay(Math.max(0, begin + fault.atMs - performance.now()), undefined, { signal });
    done.push(one(fault).catch((error) => void failures.push(`${describe(fault)}: ${error}`)));
  }
  await Promise.all([...done, sending.catch(() => {})]);
  // Whoever never catches up keeps the world from coming to rest, which is told then.
  await Promise.race([Promise.all(caughtUp), delay(REST_MS, undefined, { ref: false })]);
  return survived;
}

function describe({ index, kind, target, instance, lastsMs, delayMs }: Fault): string {
  const how = kind === 'slow' ? ` by ${delayMs} ms` : '';
  const long = lastsMs > 0 ? ` for ${(lastsMs / 1_000).toFixed(1)} s` : '';
  return `#${index} ${kind} ${target} (${instance})${how}${long}`;
}

/** Waits until every group has committed everything twice in a row; after too long it says where they are. */
async function rest(
  config: PipelineConfig,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<GroupPosition[]> {
  const deadline = performance.now() + REST_MS;
  let quiet = 0;
  let positions: GroupPosition[] = [];
  let notedAt = performance.now();
  while (performance.now() < deadline) {
    positions = await readPositions(config).catch(() => []);
    quiet = positions.length > 0 && backlogIn(positions).length === 0 ? quiet + 1 : 0;
    if (quiet >= 3) return positions;
    if (performance.now() - notedAt > NOTE_MS) {
      notedAt = performance.now();
      note(
        `  waiting for ${backlogIn(positions).length} partitions: ${backlogIn(positions).slice(0, 3).join('; ')}`,
      );
    }
    await delay(POLL_MS, undefined, { signal });
  }
  return positions;
}

/** What was committed is in the table; a view may get its rows a moment later. */
async function settledStore(world: World, { emitted }: TopicsEvidence): Promise<StoreEvidence> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const store = await readStoreEvidence(world.direct, world.receiverUrl);
    const settled = store.rows.length === emitted.length && store.rollupSum === emitted.length;
    if (settled || performance.now() > deadline) return store;
    await delay(POLL_MS);
  }
}

function evidenceOf({ acknowledged, uncertain, requestIds, unexpected, result }: Sent): SentEvidence {
  const { recipients } = result.expected.suppressions;
  const suppressions = Object.entries(recipients).map(
    ([recipient, { reasons }]) => [recipient, [...reasons].sort().join(' ')] as const,
  );
  return {
    ...{ acknowledged, uncertain, requestIds },
    suppressions: new Map(suppressions),
    unexpected: unexpected.length,
  };
}
