import {
  type Answer,
  type Call,
  type CrmHarness,
  type Fault,
  type PlayedCrm,
  PlayedServer,
} from '@email-events/sink-crm/testing';
import { seeded } from '../contracts/crm/topic.ts';
import type { Chance, Order, PlayedReport, PlayOptions, Reply } from './played.ts';

/** Main file of the process that plays CRMs: see played.ts. */
const HARNESSES = new URL('../../sinks/crm/src/adapters/', import.meta.url);
/** Limits of its own are none: that of the server counts. */
const FASTER = 1_000;
const MOST_KEPT = 1_000;

const { kinds, seed, limit } = JSON.parse(process.argv[2] ?? '') as PlayOptions;
const random = seeded(seed);

class Played {
  readonly server: PlayedServer;
  readonly settings: ReturnType<PlayedCrm['settings']>;
  private readonly played: PlayedCrm;
  private readonly harness: CrmHarness;
  private readonly next: Fault[] = [];
  private readonly faults: { [kind: string]: number } = {};
  private readonly reenabled: { [recipient: string]: number } = {};
  private readonly fouls: string[] = [];
  private chances: readonly Chance[] = [];
  private readonly firstSuppressedAt = new Map<string, number>();
  private taken = 0;
  private firstCallMs = 0;
  private lastCallMs = 0;

  static async start(kind: string): Promise<Played> {
    const { harness } = (await import(new URL(`${kind}.harness.ts`, HARNESSES).href)) as {
      harness: CrmHarness;
    };
    const played = harness.play(FASTER);
    const it: { played?: Played } = {};
    const watched = { ...played, answer: (call: Call) => it.played?.watch(call) ?? { status: 500 } };
    const server = await PlayedServer.start(watched);
    it.played = new Played(harness, played, server);
    return it.played;
  }

  private constructor(harness: CrmHarness, played: PlayedCrm, server: PlayedServer) {
    this.harness = harness;
    this.played = played;
    this.server = server;
    this.settings = played.settings(server.base);
    server.limit = { calls: limit, perMs: 1_000, over: this.tooMany() };
    server.faultOfNext = () => this.faultOfNext();
  }

  obey(order: Order): void {
    if (order.do === 'chances') this.chances = order.chances;
    if (order.do === 'all') this.server.fault = order.fault ?? undefined;
    if (order.do === 'next') this.next.push(order.fault);
    if (order.do === 'throttle') this.next.push(this.tooMany());
    if (order.do === 'optOut') for (const recipient of order.recipients) this.played.optOut?.(recipient);
    if (order.do === 'refuse') {
      const answer = this.harness.rejected?.[0] ?? { status: 400 };
      for (const recipient of order.recipients) this.server.faultsOf.set(recipient, answer);
    }
  }

  get count(): number {
    return this.played.recipients().length;
  }

  report(): PlayedReport {
    const { played, server, faults, reenabled, fouls, firstCallMs, lastCallMs } = this;
    const held = played.recipients().map((who) => [who, played.held(who)?.suppressed ?? false] as const);
    const hasOptOuts = played.optOut !== undefined;
    return {
      ...{ held, hasOptOuts, calls: this.taken + server.refused, over: server.refused, faults, reenabled },
      ...{ fouls, firstCallMs, lastCallMs, firstSuppressedAt: [...this.firstSuppressedAt] },
    };
  }

  private tooMany(): Answer {
    return this.harness.throttled?.(1).answer ?? { status: 429, headers: { 'retry-after': '1' } };
  }

  private faultOfNext(): Fault | undefined {
    this.taken += 1;
    // It keeps all of them, which a long run has no room for.
    if (this.server.calls.length > MOST_KEPT) this.server.calls.length = 0;
    this.lastCallMs = performance.now();
    this.firstCallMs ||= this.lastCallMs;
    const fault = this.next.shift() ?? this.server.fault ?? this.drawn();
    if (fault === undefined) return undefined;
    const kind = typeof fault === 'object' ? String(fault.status) : fault;
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    return fault;
  }

  private drawn(): Fault | undefined {
    let left = random();
    for (const { probability, fault } of this.chances) {
      left -= probability;
      if (left < 0) return fault;
    }
    return undefined;
  }

  /** The CRM's own answer, and whether it mails somebody again because of it. */
  private watch(call: Call) {
    const { played, harness } = this;
    try {
      const who = harness.asynchronous || call.method === 'GET' ? undefined : played.recipientOf(call);
      const before = who !== undefined && played.held(who)?.suppressed === true;
      const answer = played.answer(call);
      if (who !== undefined) this.compare(who, before, played.held(who)?.suppressed === true);
      return answer;
    } catch (error) {
      this.fouls.push(error instanceof Error ? error.message : String(error));
      return { status: 500 };
    }
  }

  private compare(who: string, before: boolean, now: boolean): void {
    if (before && !now) this.reenabled[who] = (this.reenabled[who] ?? 0) + 1;
    if (now && !before && !this.firstSuppressedAt.has(who)) this.firstSuppressedAt.set(who, Date.now());
  }
}

const all = new Map<string, Played>();
for (const kind of kinds) all.set(kind, await Played.start(kind));

process.on('message', (order: Order) => {
  const played = all.get(order.of);
  if (!played) throw new Error(`no ${order.of} is played`);
  if (order.do === 'report') reply({ report: played.report() });
  else if (order.do === 'count') reply({ count: played.count });
  else played.obey(order);
});
process.on('disconnect', () => process.exit(0));
reply({ settings: Object.fromEntries([...all].map(([kind, { settings }]) => [kind, settings])) });

function reply(message: Reply): void {
  process.send?.(message);
}
