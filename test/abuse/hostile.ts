import { setTimeout as delay } from 'node:timers/promises';
import type { Random, SimulatedEsp, WireRequest } from '@email-events/dev/simulate';
import type { Attack, AttackContext } from './attacks/index.ts';
import type { Client, Reply } from './client.ts';
import { ALL_ESPS } from './story.ts';

/** How one attack went. */
export interface AttackTally {
  readonly attack: Attack;
  readonly esps: Set<SimulatedEsp>;
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

export interface HostileOptions {
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

function espOf({ attack }: AttackTally, round: number, random: Random, blow: number): SimulatedEsp {
  const { esps } = attack;
  const [first] = esps;
  if (first === undefined) throw new Error(`${attack.name} fits no ESP`);
  return blow % 2 === 0 ? (esps[round % esps.length] ?? first) : random.pick(esps);
}

async function strike(
  tally: AttackTally,
  esp: SimulatedEsp,
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
function espOfPath(path: string): SimulatedEsp | undefined {
  const source = /email-events\/([^?]+)/.exec(path)?.[1] ?? '';
  return ALL_ESPS.find((esp) => source === esp || source.endsWith(`-${esp}`));
}
