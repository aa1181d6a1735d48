import {
  backlogIn,
  disorderIn,
  type GroupPosition,
  lossesIn,
  type SentEvent,
  surplusIn,
} from '../src/invariants.ts';
import type { StoreEvidence, TopicsEvidence } from './evidence.ts';
import { standStillsIn, type WatchEvidence } from './stand-still.ts';

/** The senders' own records. */
export interface SentEvidence {
  readonly acknowledged: ReadonlySet<string>;
  readonly uncertain: ReadonlySet<string>;
  readonly requestIds: ReadonlySet<string>;
  /** Suppression reasons by recipient key that follow from what was acknowledged, by the sender's own rules. */
  readonly suppressions: ReadonlyMap<string, string>;
  /** Requests whose final answer was not the right one. */
  readonly unexpected: number;
  /** Attempts that were not answered rightly at once, where nothing happened that excuses it. */
  readonly refused: readonly string[];
}

export interface Evidence {
  readonly sent: SentEvidence;
  readonly topics: TopicsEvidence;
  readonly store: StoreEvidence;
  readonly positions: readonly GroupPosition[];
  readonly watch: WatchEvidence;
  /** All consumer groups that there are. */
  readonly groups: readonly string[];
  /** Processes that ended although no fault was done to them. */
  readonly surprises: readonly string[];
  /** Of a run that began with another release. */
  readonly upgrades?: UpgradeEvidence | undefined;
}

export interface UpgradeEvidence {
  /** With the share of all events that were acknowledged when it was upgraded. */
  readonly upgraded: readonly { readonly instance: string; readonly progress: number }[];
  /** Instances that were not. */
  readonly left: readonly string[];
}

/** One promise, and how it was broken: an empty list means that it holds. */
export interface Finding {
  readonly promise: string;
  /** How many things were checked for it. */
  readonly checked: number;
  readonly violations: readonly string[];
}

/** Everything that must hold once all is at rest, after any faults. Pure. */
export function judge({
  sent,
  topics,
  store,
  positions,
  watch,
  groups,
  surprises,
  upgrades,
}: Evidence): Finding[] {
  const events = sentEvents(sent, topics);
  const { emitted, totals } = topics;
  const finding = (promise: string, checked: number, violations: readonly string[]): Finding => ({
    ...{ promise, checked, violations },
  });
  return [
    finding('every sender got the right answer in the end', sent.requestIds.size, [
      ...(sent.unexpected > 0 ? [`${sent.unexpected} requests did not`] : []),
    ]),
    finding('no request was refused while nothing worse was restarted than a broker', sent.requestIds.size, [
      ...sent.refused,
    ]),
    finding(
      'every acknowledged request is in email.raw',
      sent.requestIds.size,
      missing(sent.requestIds, topics.requestIds),
    ),
    finding('every acknowledged event is on its typed topic', events.length, lossesIn(events, emitted)),
    finding('no event is there twice, and none that nobody sent', emitted.length, surplusIn(events, emitted)),
    finding('order per recipient, each on one partition', emitted.length, disorderIn(events, emitted)),
    finding('no request was normalized twice', topics.normalizedCount, topics.renormalized),
    finding('received = emitted + duplicates + dead-lettered', totals.received, imbalance(topics)),
    finding('ClickHouse: every event is one row', store.rows.length, rowsWrong(store, topics)),
    finding(
      'ClickHouse: every row is once in every rollup',
      store.rollups.reduce((sum, { groups: n }) => sum + n, 0),
      rollupWrong(store),
    ),
    finding(
      'ClickHouse: every dead letter is one row',
      sumOf(topics.deadLetters),
      lettersWrong(store, topics),
    ),
    finding(
      'suppressions: the topic is as without any fault',
      sent.suppressions.size,
      differences(sent.suppressions, topics.suppressions),
    ),
    finding(
      'suppressions: ClickHouse is as the topic',
      topics.suppressions.size,
      differences(topics.suppressions, store.clickhouseSuppressions),
    ),
    finding(
      'suppressions: the CRM is as the topic',
      topics.suppressions.size,
      differences(topics.suppressions, store.crmSuppressions),
    ),
    // Without positions the broker was not even there.
    finding('committed offsets = end offsets, no partition stuck', positions.length, [
      ...(positions.length === 0 ? ['the groups could not be read'] : []),
      ...backlogIn(positions),
    ]),
    finding('no group stood still for half a minute', watch.samples, standStillsIn(watch, groups)),
    finding('no process ended that nobody harmed', 0, surprises),
    ...(upgrades
      ? [
          finding(
            'every instance was upgraded while events came',
            upgrades.upgraded.length,
            notUpgraded(upgrades),
          ),
        ]
      : []),
  ];
}

/** The events that were sent, in the order of each recipient; those acknowledged and never normalized come last. */
function sentEvents({ acknowledged, uncertain }: SentEvidence, { normalized }: TopicsEvidence): SentEvent[] {
  const there = new Set(normalized.map(({ name }) => name));
  const lost = [...acknowledged].filter((name) => !there.has(name));
  return [
    ...normalized.filter(({ name }) => acknowledged.has(name) || uncertain.has(name)),
    ...lost.map((name) => ({ name, recipient: 'unknown' })),
  ];
}

function missing(wanted: ReadonlySet<string>, found: ReadonlySet<string>): string[] {
  return [...wanted].filter((item) => !found.has(item)).map((item) => `missing: ${item}`);
}

/** An upgrade after the last event proves nothing. */
function notUpgraded({ upgraded, left }: UpgradeEvidence): string[] {
  const late = upgraded.filter(({ progress }) => progress >= 1);
  return [
    ...left.map((instance) => `${instance} was not`),
    ...late.map(({ instance }) => `${instance} when all were sent: more --minutes, or a lower --rate`),
  ];
}

/** From the bytes in email.raw to the records on the typed topics, every step adds up. */
function imbalance({ raw, normalizedCount, totals, emitted, deadLetters }: TopicsEvidence): string[] {
  const equal = (what: string, a: number, b: number) => (a === b ? [] : [`${what}: ${a} and ${b}`]);
  const { received, duplicates, deadLettered } = totals;
  return [
    ...equal('events in email.raw, events normalized', raw.events, normalizedCount),
    ...equal(
      'unreadable items in email.raw, dead letters of normalize',
      raw.failures,
      deadLetters.normalize ?? 0,
    ),
    ...equal('events normalized, received by events', normalizedCount, received),
    ...equal(
      'received, emitted + duplicates + dead-lettered',
      received,
      totals.emitted + duplicates + deadLettered,
    ),
    ...equal('emitted, records on the typed topics', totals.emitted, emitted.length),
    ...equal('dead-lettered, dead letters of events', deadLettered, deadLetters.events ?? 0),
    ...equal('dead letters of sinks, none', sinkLetters(deadLetters), 0),
  ];
}

const sinkLetters = (deadLetters: TopicsEvidence['deadLetters']) =>
  Object.entries(deadLetters).reduce((sum, [stage, n]) => sum + (stage.startsWith('sink-') ? n : 0), 0);

function rowsWrong({ rows }: StoreEvidence, { emitted }: TopicsEvidence): string[] {
  const wanted = new Set(emitted.map(({ name }) => name));
  const found = new Set<string>();
  const problems: string[] = [];
  for (const id of rows) {
    if (found.has(id)) problems.push(`duplicate row: ${id}`);
    if (!wanted.has(id)) problems.push(`row of no event: ${id}`);
    found.add(id);
  }
  return [...problems, ...[...wanted].filter((id) => !found.has(id)).map((id) => `no row: ${id}`)];
}

function rollupWrong({ rows, rollups }: StoreEvidence): string[] {
  if (rollups.length === 0) return ['no rollup was found'];
  return rollups.flatMap(({ view, differs, events }) => [
    ...(events === undefined || events === rows.length ? [] : [`${events} in ${view}, ${rows.length} rows`]),
    ...differs,
  ]);
}

function lettersWrong({ deadLetters }: StoreEvidence, topics: TopicsEvidence): string[] {
  const stages = new Set([...Object.keys(deadLetters), ...Object.keys(topics.deadLetters)]);
  return [...stages].flatMap((stage) => {
    const [rows, letters] = [deadLetters[stage] ?? 0, topics.deadLetters[stage] ?? 0];
    return rows === letters ? [] : [`${rows} rows of ${stage}, ${letters} dead letters`];
  });
}

const sumOf = (counts: { readonly [name: string]: number }) =>
  Object.values(counts).reduce((sum, n) => sum + n, 0);

function differences(wanted: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string[] {
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((key) => wanted.get(key) !== found.get(key))
    .map((key) => `${key}: ${found.get(key) ?? 'nothing'} instead of ${wanted.get(key) ?? 'nothing'}`);
}
