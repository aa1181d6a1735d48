import { type BROKER_ROLES, COMPONENTS, type Deck, isOfBrokers, SERVICES } from './targets.ts';

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

/** One round of restarts, one broker killed, one frozen, leaders and replicas moved, and every stage of ours killed. */
export const SHORT_DECK_OF_SEVERAL: Deck = [
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

/** What an orderly upgrade of the cluster does, and nothing else. */
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
