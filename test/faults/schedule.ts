import { SERVICE_NAMES, type ServiceName } from '@email-events/deploy/run/services';
import { createRandom, type Random } from '@email-events/deploy/simulate';

/** What can be harmed. Services have several instances, components one. */
export const SERVICES = SERVICE_NAMES;
export const COMPONENTS = ['kafka', 'registry', 'clickhouse'] as const;
export type FaultyService = ServiceName;
export type FaultyComponent = (typeof COMPONENTS)[number];
export type Target = FaultyService | FaultyComponent;

/**
 * kill: SIGKILL, then started again. restart: SIGTERM, then started again. pause: SIGSTOP, then SIGCONT.
 * cut: all connections to it are reset. slow: every byte to and from it comes late. join: a further instance for a while.
 */
export const FAULT_KINDS = ['kill', 'restart', 'pause', 'cut', 'slow', 'join'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  /** Position in the schedule. */
  readonly index: number;
  /** Since the first request. Milliseconds. */
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly target: Target;
  /** Which instance of a service; taken modulo how many there are. */
  readonly instance: number;
  /** How long it is frozen, slow or there; for a component that was killed, how long it stays away. Milliseconds. */
  readonly lastsMs: number;
  /** Of `slow`: how late each byte comes. Milliseconds. */
  readonly delayMs: number;
}

export interface ScheduleOptions {
  readonly seed: number;
  /** Faults begin within this time. */
  readonly durationMs: number;
  /** Mean time from one fault to the next. */
  readonly everyMs: number;
  /** Default: the whole deck. */
  readonly deck?: Deck;
}

type Card = readonly [kind: FaultKind, target: Target, copies: number];
export type Deck = readonly Card[];

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

/** The cards of a deck that these names, such as `kill kafka` or `pause`, pick; all of them if there are no names. */
export function pick(deck: Deck, names: readonly string[]): Deck {
  if (names.length === 0) return deck;
  return deck.filter(([kind, target]) => names.some((name) => [kind, `${kind} ${target}`].includes(name)));
}

/** A group gives a silent member up after six seconds: some are frozen for less, most for longer. */
const PAUSE_MS = [2_000, 13_000] as const;
const COMPONENT_PAUSE_MS = [1_000, 6_000] as const;
const AWAY_MS = [0, 4_000] as const;
const SLOW_MS = [3_000, 8_000] as const;
const JOIN_MS = [6_000, 15_000] as const;
const DELAY_MS = [20, 400] as const;

/** The deck is dealt shuffled, again and again, so nothing is left to chance but the order. Pure: same options, same faults. */
export function planFaults({ seed, durationMs, everyMs, deck = WHOLE_DECK }: ScheduleOptions): Fault[] {
  const random = createRandom(seed).fork(7);
  const faults: Fault[] = [];
  let cards: (readonly [FaultKind, Target])[] = [];
  // From half to one and a half times the mean.
  const gap = () => random.int(Math.ceil(everyMs / 2), Math.floor(everyMs * 1.5));
  for (let atMs = gap(); atMs < durationMs; atMs += gap()) {
    if (cards.length === 0) cards = shuffled(deck, random);
    const card = cards.pop();
    if (!card) break;
    const [kind, target] = card;
    faults.push({
      index: faults.length,
      atMs,
      kind,
      target,
      instance: random.int(0, 11),
      lastsMs: random.int(...lastsOf(kind, target)),
      delayMs: random.int(...DELAY_MS),
    });
  }
  return faults;
}

function lastsOf(kind: FaultKind, target: Target): readonly [number, number] {
  const isComponent = (COMPONENTS as readonly string[]).includes(target);
  switch (kind) {
    case 'kill':
      return isComponent ? AWAY_MS : [0, 0];
    case 'pause':
      return isComponent ? COMPONENT_PAUSE_MS : PAUSE_MS;
    case 'slow':
      return SLOW_MS;
    case 'join':
      return JOIN_MS;
    case 'restart':
    case 'cut':
      return [0, 0];
    default:
      return kind satisfies never;
  }
}

function shuffled(deck: Deck, random: Random): (readonly [FaultKind, Target])[] {
  const cards = deck.flatMap(([kind, target, copies]) =>
    Array.from({ length: copies }, () => [kind, target] as const),
  );
  for (let last = cards.length - 1; last > 0; last--) {
    const other = random.int(0, last);
    const [a, b] = [cards[last], cards[other]];
    if (a && b) [cards[last], cards[other]] = [b, a];
  }
  return cards;
}
