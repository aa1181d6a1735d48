import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random, WireRequest } from '@email-events/dev/simulate';
import { type Account, type Client, pathOf, type Reply } from './account.ts';
import type { Attack, AttackContext } from './attacks/index.ts';
import { contentTypeOf } from './attacks/requests.ts';
import { ALL_ESPS, rawDraft } from './story.ts';

/** The outcome of a flood of unsigned requests. */
export interface FloodFound {
  readonly sent: number;
  /** Bodies and lines. */
  readonly bytesSent: number;
  /** Answered with 2xx. */
  readonly accepted: number;
  /** By which the ingress's log grew. */
  readonly bytesLogged: number;
  readonly seconds: number;
  /** Answers to honest requests meanwhile. */
  readonly honest: readonly CalmReply[];
}

/** An honest event, and how its request was answered. */
interface CalmReply extends Reply {
  readonly source: string;
  readonly id: string;
}

interface FloodOptions {
  readonly logFile: string;
  readonly client: Client;
  /** On its own connections. */
  readonly honestClient: Client;
  readonly shop: Account;
  readonly runId: string;
  readonly seconds: number;
  /** Connections of the flood. */
  readonly connections: number;
  readonly random: Random;
  readonly signal: AbortSignal;
}

const HONEST_MS = 200;

/** As many requests as one process can send, none of them signed, some with a key of their own; and a genuine one now and then. */
export async function flood(options: FloodOptions): Promise<FloodFound> {
  const { logFile, client, seconds, connections, signal } = options;
  const before = statSync(logFile).size;
  const begin = performance.now();
  const enough = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)]);
  const sum = { sent: 0, bytesSent: 0, accepted: 0 };
  const lane = async (number: number) => {
    for (let n = number; !enough.aborted; n += connections) {
      const request = unsignedRequest(n);
      const { status } = await client.send(request);
      sum.sent++;
      sum.bytesSent += request.body.length + request.path.length;
      if (status >= 200 && status < 300) sum.accepted++;
    }
  };
  const honest = sendHonest(options, enough);
  await Promise.all(Array.from({ length: connections }, (_, i) => lane(i)));
  const replies = await honest;
  return {
    ...sum,
    seconds: (performance.now() - begin) / 1_000,
    bytesLogged: statSync(logFile).size - before,
    honest: replies,
  };
}

/** Small, so that there are many: each of an ESP, each another. */
function unsignedRequest(number: number): WireRequest {
  const esp = ALL_ESPS[number % ALL_ESPS.length] ?? 'sendgrid';
  const body = Buffer.from(
    `[{"event":"delivered","email":"flood${number}@example.com","sg_event_id":"${number}"}]`,
  );
  const headers = { 'content-type': contentTypeOf(esp), authorization: `Basic ${number}` };
  if (esp === 'elasticemail')
    return {
      method: 'GET',
      path: pathOf(esp, `?status=Sent&n=${number}`),
      headers: {},
      body: Buffer.alloc(0),
    };
  return { method: 'POST', path: pathOf(esp), headers, body };
}

async function sendHonest(
  { shop, honestClient, runId }: FloodOptions,
  enough: AbortSignal,
): Promise<CalmReply[]> {
  const replies: CalmReply[] = [];
  const source = shop.sourceOf('standard-webhooks');
  for (let n = 0; !enough.aborted; n++) {
    const id = `calm-${n}`;
    const event = {
      ...{ id, type: 'delivered', occurred_at: new Date().toISOString() },
      recipient: `calm${n}.${runId}@example.com`,
    };
    const draft = rawDraft('standard-webhooks', JSON.stringify(event), `msg_calm_${runId}_${n}`);
    const reply = await honestClient.send(shop.request('standard-webhooks', draft));
    replies.push({ ...reply, source, id });
    await delay(HONEST_MS, undefined, { signal: enough }).catch(() => {});
  }
  return replies;
}

/** How one attack went. */
export interface AttackTally {
  readonly attack: Attack;
  readonly esps: Set<string>;
  requests: number;
  bytes: number;
  /** Answers by status; 0: none. */
  readonly statuses: Map<number, number>;
}

export interface HostileSent {
  readonly tallies: readonly AttackTally[];
  /** Bytes of bodies and lines that were answered with 200, by X-Request-Id. */
  readonly taken: ReadonlyMap<string, number>;
}

interface HostileOptions {
  readonly attacks: readonly Attack[];
  readonly context: AttackContext;
  readonly client: Client;
  /** Requests a second, if the ingress answers so fast. */
  readonly rate: number;
  readonly random: Random;
  /** Requests under way at a time. */
  readonly concurrency: number;
  /** No further blow is begun. */
  readonly enough: AbortSignal;
}

/**
 * Deals every attack in turn, each time at the next of its ESPs, and in between any of them by its share. Resolves when everything that
 * was begun is answered.
 */
export async function sendHostile(options: HostileOptions): Promise<HostileSent> {
  const { attacks, context, rate, random, concurrency, enough } = options;
  const tallies = attacks.map(
    (attack): AttackTally => ({ attack, esps: new Set(), requests: 0, bytes: 0, statuses: new Map() }),
  );
  const taken = new Map<string, number>();
  const under = new Set<Promise<void>>();
  const begin = performance.now();
  let blows = 0;
  let requests = 0;
  while (!enough.aborted) {
    const tally =
      blows % 2 === 0
        ? tallies[(blows / 2) % tallies.length]
        : random.weighted(tallies, ({ attack }) => attack.share);
    if (!tally) break;
    const esp = espOf(tally, Math.floor(blows / 2 / tallies.length), random, blows);
    blows++;
    const wires = tally.attack.blow(esp, context);
    requests += wires.length;
    const blow = strike(tally, esp, wires, options.client, taken).finally(() => under.delete(blow));
    under.add(blow);
    if (under.size >= concurrency) await Promise.race(under);
    const due = begin + (requests * 1_000) / rate - performance.now();
    await delay(Math.max(0, due), undefined, { signal: enough }).catch(() => {});
  }
  await Promise.all(under);
  return { tallies, taken };
}

function espOf({ attack }: AttackTally, round: number, random: Random, blow: number): string {
  const { esps } = attack;
  const [first] = esps;
  if (first === undefined) throw new Error(`${attack.name} fits no ESP`);
  return blow % 2 === 0 ? (esps[round % esps.length] ?? first) : random.pick(esps);
}

async function strike(
  tally: AttackTally,
  esp: string,
  wires: readonly WireRequest[],
  client: Client,
  taken: Map<string, number>,
): Promise<void> {
  for (const wire of wires) {
    const reply: Reply = await client.send(wire);
    const bytes = wire.body.length + wire.path.length;
    tally.esps.add(espOfPath(wire.path) ?? esp);
    tally.requests++;
    tally.bytes += bytes;
    tally.statuses.set(reply.status, (tally.statuses.get(reply.status) ?? 0) + 1);
    if (reply.status === 200 && reply.requestId !== null) taken.set(reply.requestId, bytes);
  }
}

/** A copy of an honest request goes to the ESP that this was of. */
function espOfPath(path: string): string | undefined {
  const source = /email-events\/([^?]+)/.exec(path)?.[1] ?? '';
  return ALL_ESPS.find((esp) => source === esp || source.endsWith(`-${esp}`));
}
