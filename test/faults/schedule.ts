import { createRandom, type Random } from '@email-events/dev/simulate';
import { type Deck, type FaultKind, isComponent, isOfBrokers, type Target } from './targets.ts';

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

export interface ScheduleOptions {
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
    if (cards.length === 0 && !(once && faults.length > 0)) cards = shuffled(deck, random);
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
