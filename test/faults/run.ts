import { rm } from 'node:fs/promises';
import { consumerGroups, servicesOf } from '@email-events/cli/services';
import type { Progress } from '@email-events/dev/simulate';
import { backlogIn } from '../src/invariants.ts';
import type { AnswerFigures } from './answers.ts';
import { readTopicsEvidence } from './evidence.ts';
import { type Harm, Inflictions } from './inflict-all.ts';
import { type Finding, judge, type SentEvidence } from './judge.ts';
import { PositionWatch } from './positions.ts';
import type { Release } from './release.ts';
import { conditions, rest, settledStore } from './rest.ts';
import { type Fault, isGentle, planFaults } from './schedule.ts';
import { severalBrokers } from './several-brokers.ts';
import { type StandStill, watchEvidence } from './stand-still.ts';
import type { Deck } from './targets.ts';
import { type Sent, sendTraffic } from './traffic.ts';
import { withUpgrades } from './upgrades.ts';
import { startWorld, type World } from './world.ts';

export interface FaultRunOptions {
  readonly home: string;
  readonly seed: number;
  readonly events: number;
  /** Events a second. */
  readonly rate: number;
  /** Mean time from one fault to the next. Milliseconds. */
  readonly everyMs: number;
  readonly deck: Deck;
  /** Each card of the deck comes once; then there is no more traffic, though not all of the events were sent. */
  readonly once?: boolean;
  /** Before the first fault; nobody may be refused meanwhile. Milliseconds. */
  readonly calmMs?: number | undefined;
  readonly brokers?: number;
  readonly instances?: number;
  readonly spool?: boolean;
  /** See `WorldOptions`. */
  readonly substitute?: string | undefined;
  /** How much later each answer of a broker comes all the time, by broker from 0. Milliseconds. */
  readonly delays?: ReadonlyMap<number, number>;
  /** Every instance is of this release first, and becomes that of this checkout in the middle third of the run. */
  readonly from?: Release | undefined;
  /** See `WorldOptions`. */
  readonly secured?: boolean | undefined;
  /** Logs and data stay where they are. */
  readonly keep?: boolean;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface FaultRun extends Pick<Harm, 'survived' | 'upgraded' | 'failures' | 'leftOut'> {
  readonly faults: readonly Fault[];
  readonly findings: readonly Finding[];
  readonly events: { readonly acknowledged: number; readonly emitted: number; readonly retries: number };
  readonly answers: AnswerFigures;
  /** Longest stand-still of each group that nothing excused. */
  readonly standStills: readonly StandStill[];
  /** The same with nothing excused: how long the faults themselves held it up. */
  readonly heldUp: readonly StandStill[];
  /** From the last request to rest. Milliseconds. */
  readonly drainMs: number;
}

const NOTE_MS = 15_000;

/** Traffic, faults, rest, and then what everything has come to. Leaves nothing running and nothing on disk. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRun> {
  const { home, note, signal, instances = 2, brokers = 1, spool = true } = options;
  const { substitute, from, secured } = options;
  const world = await startWorld({
    ...{ home, instances, brokers, spool, substitute, from, secured, note, signal },
  });
  try {
    for (const [broker, ms] of options.delays ?? []) world.proxies.brokers[broker]?.delay(ms / 2);
    return await run(world, options);
  } finally {
    await world.stop();
    if (!options.keep) await rm(home, { recursive: true, force: true });
  }
}

async function run(world: World, options: FaultRunOptions): Promise<FaultRun> {
  const { seed, events, rate, everyMs, deck, once = false, calmMs = 0, brokers = 1, note, signal } = options;
  const durationMs = (events / rate) * 1_000 - calmMs;
  const dealt = planFaults({ seed, durationMs, everyMs, deck, brokers, once });
  const faults = planned(dealt, durationMs, options).map((fault) => ({
    ...fault,
    atMs: fault.atMs + calmMs,
  }));
  note(`seed ${seed}: ${events} events at ${rate} a second, ${faults.length} faults`);
  const watch = new PositionWatch(world.direct);
  watch.start();
  const cluster = brokers > 1 ? severalBrokers(world, options.delays) : undefined;
  try {
    const groupOf = new Map(
      consumerGroups(world.direct, servicesOf(world.direct)).map(({ service, group }) => [service, group]),
    );
    let allSent = false;
    let acknowledged = 0;
    const inflictions = new Inflictions({
      ...{ world, brokers: cluster, watch, groupOf, note, signal },
      isOver: () => allSent && !once,
      progress: () => acknowledged / events,
    });
    const enough = new AbortController();
    const count = (distinct: number) => {
      acknowledged = distinct;
    };
    const sending = send(world, options, enough.signal, count).finally(() => {
      allSent = true;
    });
    const inflicting = inflictions.inflict(faults).finally(() => once && enough.abort());
    const sent = await sending;
    note(`all sent: ${sent.acknowledged.size} events acknowledged, ${sent.result.retries} attempts repeated`);
    await inflicting;
    const sentAt = performance.now();
    await inflictions.caughtUp();
    const positions = await rest(watch, note, signal);
    const drainMs = performance.now() - sentAt;
    await watch.stop();
    if (backlogIn(positions).length > 0) for (const line of await conditions(world)) note(`  ${line}`);
    return await conclude(world, { ...{ options, faults, sent, inflictions, watch, positions, drainMs } });
  } finally {
    await watch.stop();
  }
}

/** The upgrades come among the faults, if there is a release to upgrade from. */
function planned(faults: Fault[], durationMs: number, options: FaultRunOptions): Fault[] {
  const { seed, instances = 2, brokers = 1, once = false, from } = options;
  if (!from) return faults;
  const spanMs = once ? (faults.at(-1)?.atMs ?? 0) : durationMs;
  return withUpgrades(faults, { seed, instances, brokers, durationMs: spanMs });
}

interface Course {
  readonly options: FaultRunOptions;
  readonly faults: readonly Fault[];
  readonly sent: Sent;
  readonly inflictions: Inflictions;
  readonly watch: PositionWatch;
  readonly positions: Awaited<ReturnType<typeof rest>>;
  readonly drainMs: number;
}

/** Gathers what came out, and judges it. */
async function conclude(
  world: World,
  { options, faults, sent, inflictions, watch, positions, drainMs }: Course,
): Promise<FaultRun> {
  const { note, deck } = options;
  const { survived, upgraded, failures, leftOut, spans } = inflictions.harm;
  note(`at rest after ${(drainMs / 1_000).toFixed(1)} s; reading what came out`);
  const topics = await readTopicsEvidence(world.direct);
  const store = await settledStore(world, topics);
  const watched = watchEvidence(watch.samples, spans, watch.groups);
  const findings = judge({
    // An instance that is stopped ends the connections that it has, as at any restart of the ingress.
    sent: evidenceOf(sent, isGentle(deck) && !options.from),
    ...{ topics, store, positions, watch: watched, groups: watch.groups, surprises: world.surprises },
    upgrades: options.from && { upgraded, left: world.ofOldRelease },
  });
  return {
    ...{ faults, survived, upgraded, failures, leftOut, findings, drainMs },
    ...{ answers: sent.answers, standStills: watched.longest },
    heldUp: watchEvidence(watch.samples, [], watch.groups).longest,
    events: {
      acknowledged: sent.acknowledged.size,
      emitted: topics.emitted.length,
      retries: sent.result.retries,
    },
  };
}

function send(
  world: World,
  { seed, events, rate, calmMs, note, signal }: FaultRunOptions,
  enough: AbortSignal,
  onAcknowledged: (distinct: number) => void,
): Promise<Sent> {
  let notedAt = performance.now();
  return sendTraffic({
    ...{ baseUrl: world.ingressUrl, credentials: world.sender, esps: world.esps },
    ...{ seed, events, rate, calmMs, signal, enough },
    onProgress: ({ distinct, total, eventsPerSecond }: Progress) => {
      onAcknowledged(distinct);
      if (performance.now() - notedAt < NOTE_MS) return;
      notedAt = performance.now();
      note(`  ${distinct} of ${total} events acknowledged, ${Math.round(eventsPerSecond)} a second`);
    },
  });
}

function evidenceOf(
  { acknowledged, uncertain, requestIds, unexpected, result, answers }: Sent,
  gentle: boolean,
): SentEvidence {
  const { recipients } = result.expected.suppressions;
  const suppressions = Object.entries(recipients).map(
    ([recipient, { reasons }]) => [recipient, [...reasons].sort().join(' ')] as const,
  );
  return {
    ...{ acknowledged, uncertain, requestIds },
    suppressions: new Map(suppressions),
    unexpected: unexpected.length,
    refused: gentle ? answers.refused : answers.refusedInCalm,
  };
}
