import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@email-events/dev/simulate';
import type { Finding } from '../faults/judge.ts';
import { PositionWatch } from '../faults/positions.ts';
import { rest } from '../faults/rest.ts';
import { Client } from './account.ts';
import { ATTACKS, type Attack, type AttackContext } from './attacks/index.ts';
import type { CrmCounts } from './crm.ts';
import type { Evidence } from './evidence.ts';
import { readStores, readTopics, type StoresFound, type TopicsFound } from './evidence.ts';
import { Honest } from './honest.ts';
import { type FloodFound, flood, sendHostile } from './hostile.ts';
import { judge, type Limits } from './judge.ts';
import { MemoryWatch, WATCHED } from './memory.ts';
import { sendShops, shopRecipient } from './shops.ts';
import { type AbuseWorld, startWorld } from './world.ts';

export interface AbuseOptions {
  readonly home: string;
  readonly seed: number;
  /** How long hostile accounts send. */
  readonly seconds: number;
  /** Of hostile accounts, requests a second. */
  readonly rate: number;
  /** Of honest accounts, requests a second; several ESPs. */
  readonly honestRate: number;
  readonly honestEsps: readonly string[];
  /** How much earlier honest accounts begin, so that there is something to overhear, and to compare with. */
  readonly calmSeconds: number;
  /** Of a flood of unsigned requests afterwards; 0: none. */
  readonly floodSeconds: number;
  readonly limits: Limits;
  /** `ingress.maxBytesPerSecond`; undefined: no limit. */
  readonly maxBytesPerSecond?: number | undefined;
  /** Only attacks whose names hold this. */
  readonly only?: string | undefined;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface AbuseRun {
  readonly evidence: Evidence;
  readonly findings: readonly Finding[];
  readonly crm: CrmCounts;
  /** Records that each group had before it at most. */
  readonly backlogs: ReadonlyMap<string, number>;
  /** From the last hostile request to rest. Milliseconds. */
  readonly drainMs: number;
}

const SETTLE_MS = 60_000;
/** Distinct events for each honest request, and some to spare. */
const EVENTS_PER_REQUEST = 100;
/** Of each shop. */
const SHOP_REPORTS = 20;
const HOSTILE_CONCURRENCY = 64;
const FLOOD_CONNECTIONS = 64;

/** Hostile accounts beside honest ones, then rest, then what everything has come to. Leaves nothing running. */
export async function runAbuse(options: AbuseOptions): Promise<AbuseRun> {
  const { home, note, signal, maxBytesPerSecond } = options;
  const world = await startWorld({ home, note, signal, maxBytesPerSecond });
  const clients = [HOSTILE_CONCURRENCY, 8].map((size) => new Client(world.pipeline.urls.ingress, size));
  const watch = new PositionWatch(world.pipeline.config);
  const memory = new MemoryWatch(world.pipeline);
  try {
    return await run(world, options, { clients, watch, memory });
  } finally {
    await watch.stop();
    await memory.stop();
    await Promise.all(clients.map((client) => client.close()));
    await world.stop();
  }
}

interface Tools {
  readonly clients: readonly Client[];
  readonly watch: PositionWatch;
  readonly memory: MemoryWatch;
}

async function run(world: AbuseWorld, options: AbuseOptions, tools: Tools): Promise<AbuseRun> {
  const { note, signal } = options;
  const { watch, memory } = tools;
  watch.start();
  memory.start();
  const sent = await send(world, options, tools);
  const sentAt = performance.now();
  note(`all sent: ${sent.hostile.taken.size} hostile requests got in; waiting for rest`);
  const positions = await rest(watch, note, signal);
  const drainMs = performance.now() - sentAt;
  await watch.stop();
  const peaks = await memory.stop();
  note(`at rest after ${(drainMs / 1_000).toFixed(1)} s; reading what came out`);
  const found = await settled(world, options);
  const restarts = new Map(WATCHED.map((name) => [name, world.pipeline.service(name).restarts]));
  const evidence: Evidence = { ...sent, ...found, positions, memory: peaks, restarts };
  return {
    evidence,
    findings: judge(evidence, options.limits),
    crm: world.crm.counts,
    backlogs: backlogsIn(watch),
    drainMs,
  };
}

function backlogsIn({ samples, groups }: PositionWatch): Map<string, number> {
  const most = new Map(groups.map((group) => [group, 0]));
  for (const { positions } of samples) {
    for (const [group, of] of Map.groupBy(positions, (position) => position.group)) {
      const records = of.reduce((sum, { committed, end }) => sum + Number(end - (committed ?? 0n)), 0);
      most.set(group, Math.max(records, most.get(group) ?? 0));
    }
  }
  return most;
}

async function send(world: AbuseWorld, options: AbuseOptions, { clients }: Tools) {
  const { seed, seconds, rate, honestRate, honestEsps, calmSeconds, only = '', note, signal } = options;
  const [hostileClient, calmClient] = clients as [Client, Client];
  const runId = `a${Date.now().toString(36)}`;
  const { urls, sender: credentials } = world.pipeline;
  const events = Math.ceil((seconds + calmSeconds) * honestRate * EVENTS_PER_REQUEST);
  const honest = new Honest({
    ...{ baseUrl: urls.ingress, credentials, esps: honestEsps, seed, runId, events },
    requestsPerSecond: honestRate,
  });
  const [enough, honestEnough] = [new AbortController(), new AbortController()];
  note(
    `${rate} hostile requests a second for ${seconds} s, ${honestRate} honest ones of ${honestEsps.length} ESPs`,
  );
  const honestSent = honest.send(honestEnough.signal, signal);
  honestSent.catch(() => {});
  await delay(calmSeconds * 1_000, undefined, { signal });
  const hostileSince = Date.now();
  const attacks = ATTACKS.filter(({ name }) => name.includes(only));
  const timer = setTimeout(() => enough.abort(), seconds * 1_000);
  const context = contextOf(world, honest, runId, seed);
  const guessed = new Map<string, number>();
  const shopping = guessFirst(attacks, context, hostileClient, guessed).then(() =>
    sendShops(world.shops, calmClient, {
      runId,
      count: SHOP_REPORTS,
      everyMs: (seconds * 800) / SHOP_REPORTS,
      signal,
    }),
  );
  shopping.catch(() => {});
  const random = createRandom(seed).fork(1);
  const hostile = await sendHostile({
    ...{ attacks, context, client: hostileClient, rate, random, concurrency: HOSTILE_CONCURRENCY },
    enough: AbortSignal.any([enough.signal, signal]),
  });
  clearTimeout(timer);
  const shops = await shopping;
  honestEnough.abort();
  const flooded = await floodIfAsked(world, options, runId, [hostileClient, calmClient]);
  const taken = new Map([...guessed, ...hostile.taken]);
  return { honest: await honestSent, hostile: { ...hostile, taken }, hostileSince, shops, flood: flooded };
}

/** Ids are guessed before those whose they are have used them. */
async function guessFirst(
  attacks: readonly Attack[],
  context: AttackContext,
  client: Client,
  taken: Map<string, number>,
): Promise<void> {
  const guess = attacks.find(({ name }) => name === 'a guessed event id');
  for (const wire of guess?.blow('standard-webhooks', context) ?? []) {
    const { status, requestId } = await client.send(wire);
    if (status === 200 && requestId !== null) taken.set(requestId, wire.body.length);
  }
}

function contextOf(
  { hostile, leaked, shops }: AbuseWorld,
  honest: Honest,
  run: string,
  seed: number,
): AttackContext {
  let number = 0;
  const random = createRandom(seed).fork(2);
  return {
    ...{ hostile, leaked, random, run },
    next: () => number++,
    victim: () =>
      random.chance(0.5)
        ? honest.victim(random.int(0, 1_000_000))
        : shopRecipient(random.pick(shops), run, random.int(0, SHOP_REPORTS - 1)),
    ahead: () => honest.ahead(),
    overheard: (esp) => honest.overheard(esp),
  };
}

async function floodIfAsked(
  world: AbuseWorld,
  { floodSeconds, seed, note, signal }: AbuseOptions,
  runId: string,
  [client, honestClient]: [Client, Client],
): Promise<FloodFound | undefined> {
  const [shop] = world.shops;
  if (floodSeconds === 0 || !shop) return undefined;
  note(`unsigned requests as fast as they go, for ${floodSeconds} s`);
  return flood({
    ...{ logFile: world.pipeline.service('ingress').logFile, client, honestClient, shop, runId },
    ...{ seconds: floodSeconds, connections: FLOOD_CONNECTIONS, random: createRandom(seed), signal },
  });
}

/** The sink commits only rows that are in the table; a view may get its rows a moment later. */
async function settled(
  { pipeline, shops, receiver }: AbuseWorld,
  { honestEsps }: AbuseOptions,
): Promise<{ readonly topics: TopicsFound; readonly stores: StoresFound }> {
  const asked = { honest: honestEsps, shops: shops.map((shop) => shop.sourceOf('standard-webhooks')) };
  const topics = await readTopics(pipeline.config);
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const stores = await readStores(pipeline.config, receiver, asked);
    const isSettled = stores.letters === topics.letters.length && stores.rolledUp === stores.rows;
    if (isSettled || performance.now() > deadline) return { topics, stores };
    await delay(500);
  }
}
