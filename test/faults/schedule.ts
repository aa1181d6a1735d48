import { createRandom, type Random } from '@email-events/dev/simulate';
import {
  type BROKER_ROLES,
  COMPONENTS,
  type Deck,
  type FaultKind,
  isComponent,
  isOfBrokers,
  SERVICES,
  type Target,
} from './targets.ts';

export interface Fault {
  /** Position in the schedule. */
  readonly index: number;
  /** Since the first request; later, if the one before of the same target is not over. Milliseconds. */
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly target: Target;
  /** Which instance of a service, which broker, or which of those that have a role; taken modulo how many there are. */
  readonly instance: number;
  /** How long it is frozen, slow or there; for a component that was killed, how long it stays away. Milliseconds. */
  readonly lastsMs: number;
  /** Of `slow`: how late each byte comes. Milliseconds. */
  readonly delayMs: number;
}

interface ScheduleOptions {
  readonly seed: number;
  /** Faults begin within this time. */
  readonly durationMs: number;
  /** Mean time from one fault to the next. */
  readonly everyMs: number;
  readonly deck: Deck;
  readonly brokers?: number;
  /** Each card comes once, however long that takes. */
  readonly once?: boolean;
}

/** A group gives a silent member up after six seconds: some are frozen for less, most for longer. */
const PAUSE_MS = [2_000, 13_000] as const;
const COMPONENT_PAUSE_MS = [1_000, 6_000] as const;
/** The cluster gives a silent broker up after four seconds. */
const BROKER_PAUSE_MS = [5_000, 20_000] as const;
const AWAY_MS = [0, 4_000] as const;
const OUTAGE_MS = [3_000, 8_000] as const;
const SLOW_MS = [3_000, 8_000] as const;
const JOIN_MS = [6_000, 15_000] as const;
const SETTLE_MS = [2_000, 5_000] as const;
const DELAY_MS = [20, 400] as const;

/** Brokers take longer to be well again than services, and are to be well for a moment before the next one goes. */
const BROKER_PACE = 3;

/**
 * Nothing is harmed for a while now and then: who stands still for half a minute can be seen only if nothing that excuses
 * it happens meanwhile. One broker's faults are over within seconds, so its runs need none.
 */
const QUIET_EVERY_MS = 300_000;
const QUIET_MS = 45_000;

/** The end of the quiet time that this moment is in, or the moment itself. */
export function afterQuiet(atMs: number): number {
  const into = atMs % QUIET_EVERY_MS;
  return into < QUIET_EVERY_MS - QUIET_MS ? atMs : atMs - into + QUIET_EVERY_MS;
}

/** The deck is dealt shuffled, again and again, so nothing is left to chance but the order. Pure: same options, same faults. */
export function planFaults({ seed, deck, brokers = 1, ...options }: ScheduleOptions): Fault[] {
  const random = createRandom(seed);
  // Those of several brokers come on top, at a pace of their own.
  const ofBrokers = deck.filter(([, target]) => isOfBrokers(target));
  const others = deck.filter(([, target]) => !isOfBrokers(target));
  const slower = { ...options, everyMs: options.everyMs * BROKER_PACE };
  const several = ofBrokers.length > 0;
  const faults = [
    ...deal(others, random.fork(7), options, several),
    ...deal(ofBrokers, random.fork(8), slower, several).flatMap((fault) => inTurn(fault, brokers)),
  ];
  return faults.toSorted((a, b) => a.atMs - b.atMs).map((fault, index) => ({ ...fault, index }));
}

type Dealt = Omit<Fault, 'index'>;

function deal(
  deck: Deck,
  random: Random,
  { durationMs, everyMs, once = false }: Pick<ScheduleOptions, 'durationMs' | 'everyMs' | 'once'>,
  withQuiet: boolean,
): Dealt[] {
  const faults: Dealt[] = [];
  let cards: (readonly [FaultKind, Target])[] = [];
  // From half to one and a half times the mean.
  const gap = () => random.int(Math.ceil(everyMs / 2), Math.floor(everyMs * 1.5));
  const next = (ms: number) => (withQuiet ? afterQuiet(ms) : ms);
  for (let atMs = next(gap()); once || atMs < durationMs; atMs = next(atMs + gap())) {
    if (cards.length === 0 && !(once && faults.length > 0)) cards = shuffled(cardsOf(deck), random);
    const card = cards.pop();
    if (!card) break;
    const [kind, target] = card;
    faults.push({
      ...{ atMs, kind, target },
      instance: random.int(0, 11),
      lastsMs: random.int(...lastsOf(kind, target)),
      delayMs: random.int(...DELAY_MS),
    });
  }
  return faults;
}

/** A restart of brokers is a round: the first, the second, and so on, each when the one before is well. */
function inTurn(fault: Dealt, brokers: number): Dealt[] {
  if (fault.kind !== 'restart') return [fault];
  return Array.from({ length: brokers }, (_, instance) => ({ ...fault, instance }));
}

function lastsOf(kind: FaultKind, target: Target): readonly [number, number] {
  switch (kind) {
    case 'kill':
      return isComponent(target) || isOfBrokers(target) ? AWAY_MS : [0, 0];
    case 'pause':
      if (isOfBrokers(target)) return BROKER_PAUSE_MS;
      return isComponent(target) ? COMPONENT_PAUSE_MS : PAUSE_MS;
    case 'slow':
      return SLOW_MS;
    case 'join':
      return JOIN_MS;
    case 'outage':
      return OUTAGE_MS;
    case 'elect':
    case 'reassign':
      return SETTLE_MS;
    case 'restart':
    case 'cut':
    case 'upgrade':
    case 'kill-upgrade':
      return [0, 0];
    default:
      return kind satisfies never;
  }
}

const cardsOf = (deck: Deck): (readonly [FaultKind, Target])[] =>
  deck.flatMap(([kind, target, copies]) => Array.from({ length: copies }, () => [kind, target] as const));

export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const cards = [...values];
  for (let last = cards.length - 1; last > 0; last--) {
    const other = random.int(0, last);
    const [a, b] = [cards[last], cards[other]];
    if (a !== undefined && b !== undefined) [cards[last], cards[other]] = [b, a];
  }
  return cards;
}

/** How often each fault comes, relative to the others. What keeps state, or remembers for others, is harmed most. */
export const WHOLE_DECK: Deck = [
  ['kill', 'ingress', 8],
  ['kill', 'normalize', 8],
  ['kill', 'events', 10],
  ['kill', 'sink-clickhouse', 14],
  ['kill', 'sink-crm', 4],
  ['kill', 'receiver', 2],
  ['kill', 'kafka', 4],
  ['kill', 'registry', 2],
  ['kill', 'clickhouse', 6],
  ['restart', 'ingress', 1],
  ['restart', 'normalize', 1],
  ['restart', 'events', 1],
  ['restart', 'sink-clickhouse', 1],
  ['restart', 'sink-crm', 1],
  ['pause', 'ingress', 1],
  ['pause', 'normalize', 1],
  ['pause', 'events', 2],
  ['pause', 'sink-clickhouse', 2],
  ['pause', 'sink-crm', 1],
  ['pause', 'kafka', 1],
  ['pause', 'clickhouse', 1],
  ['cut', 'kafka', 2],
  ['cut', 'clickhouse', 1],
  ['cut', 'registry', 1],
  ['cut', 'ingress', 1],
  ['slow', 'kafka', 1],
  ['slow', 'clickhouse', 1],
  ['join', 'normalize', 1],
  ['join', 'events', 1],
  ['join', 'sink-clickhouse', 1],
];

/** For a short run: everything is killed, and each other kind of fault happens where it hurts most. */
export const SHORT_DECK: Deck = [
  ...SERVICES.map((service) => ['kill', service, 1] as const),
  ...COMPONENTS.map((component) => ['kill', component, 1] as const),
  ['pause', 'events', 1],
  ['pause', 'sink-clickhouse', 1],
  ['restart', 'events', 1],
  ['cut', 'kafka', 1],
  ['slow', 'clickhouse', 1],
  ['join', 'events', 1],
];

type BrokerRole = (typeof BROKER_ROLES)[number];
const each = (kind: 'kill' | 'pause' | 'cut' | 'slow', roles: readonly BrokerRole[]): Deck =>
  roles.map((role) => [kind, role, 1] as const);

/** Of several brokers: what an upgrade does most of all, then what breaks, by what the broker is needed for. */
const BROKERS_DECK: Deck = [
  ['restart', 'broker', 3],
  ...each('kill', ['leader', 'group-coordinator', 'transaction-coordinator', 'controller', 'broker']),
  ...each('kill', ['leader', 'transaction-coordinator']),
  ...each('pause', ['leader', 'group-coordinator', 'transaction-coordinator', 'controller']),
  ...each('cut', ['leader', 'group-coordinator', 'transaction-coordinator']),
  ...each('slow', ['leader', 'group-coordinator', 'transaction-coordinator']),
  ['elect', 'cluster', 3],
  ['reassign', 'cluster', 3],
  ['outage', 'cluster', 1],
];

const ofServices = (deck: Deck): Deck => deck.filter(([, target]) => target !== 'kafka');

export const WHOLE_DECK_OF_SEVERAL: Deck = [...ofServices(WHOLE_DECK), ...BROKERS_DECK];

/** One round of restarts, one broker killed, one frozen, leaders and replicas moved, and every service of the pipeline killed. */
const SHORT_DECK_OF_SEVERAL: Deck = [
  ['kill', 'ingress', 1],
  ['kill', 'normalize', 1],
  ['kill', 'events', 1],
  ['kill', 'sink-clickhouse', 1],
  ['kill', 'sink-crm', 1],
  ['restart', 'broker', 1],
  ['kill', 'leader', 1],
  ['pause', 'group-coordinator', 1],
  ['elect', 'cluster', 1],
  ['reassign', 'cluster', 1],
];

/** The faults of an orderly upgrade of the cluster, and nothing else. */
export const BROKER_RESTARTS: Deck = [['restart', 'broker', 1]];

export function deckFor(brokers: number, short: boolean): Deck {
  if (brokers === 1) return short ? SHORT_DECK : WHOLE_DECK;
  return short ? SHORT_DECK_OF_SEVERAL : WHOLE_DECK_OF_SEVERAL;
}

/**
 * The cards of a deck that these names pick: `kill kafka`, `pause`, `broker-restarts` for nothing but restarts of brokers
 * in order, `none` for rest. All of them if there are no names; undefined: one of the names picks nothing.
 */
export function pick(deck: Deck, names: readonly string[]): Deck | undefined {
  if (names.length === 0) return deck;
  if (names.includes('none')) return names.length === 1 ? [] : undefined;
  const picked = names.map((name) =>
    name === 'broker-restarts'
      ? BROKER_RESTARTS
      : deck.filter(([kind, target]) => name === kind || name === `${kind} ${target}`),
  );
  return picked.some((cards) => cards.length === 0) ? undefined : [...new Set(picked.flat())];
}

/** Whether every request must get its right answer at once: one broker of three may go at any time, in order. */
export const isGentle = (deck: Deck): boolean =>
  deck.every(([kind, target]) => kind === 'restart' && isOfBrokers(target));
