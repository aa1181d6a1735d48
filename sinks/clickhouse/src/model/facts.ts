/**
 * What an event says of its message, in 16 bytes: the kind of event, when it was, and which event. A message is the set of its facts, and nothing else
 * has to be merged for it: sets of numbers are what ClickHouse puts together at the least cost. Sorted, facts are by kind, then by time.
 *
 * The table `message_facts` holds them: whoever changes a number here raises the version, and adds a migration that fills a new table.
 */
export const FACTS_VERSION = 1;

/** Kinds in this order, since neighbours are asked for together: every bounce, every open by a person or by whom the ESP does not say. */
export const FACTS = {
  queued: 1,
  delivered: 2,
  deferred: 3,
  dropped: 4,
  bounced: 5,
  hard_bounced: 6,
  opened_by_person: 7,
  opened: 8,
  opened_by_machine: 9,
  clicked_by_person: 10,
  clicked: 11,
  clicked_by_machine: 12,
  complained: 13,
  not_spam: 14,
  unsubscribed: 15,
} as const;

type Kind = keyof typeof FACTS;

const KIND_BITS = 112;
const TIME_BITS = 64;
const TIME_MASK = '281474976710655';
/** 2^43 ms: times before 1970 are numbers that are not negative. */
const EPOCH = '8796093022208';

/** Of a row of `email_events` under this name. A type that is not known here is kind 0: it has a time and no meaning. */
export function factSql(e: string): string {
  const types = [
    'queued',
    'delivered',
    'deferred',
    'dropped',
    'bounced',
    'complained',
    'unsubscribed',
  ] as const;
  const first: readonly (readonly [string, number])[] = [
    ...types.map((type) => [type, FACTS[type]] as const),
    ['opened', FACTS.opened_by_person],
    ['clicked', FACTS.clicked_by_person],
  ];
  const names = first.map(([name]) => `'${name}'`).join(', ');
  const numbers = first.map(([, number]) => number).join(', ');
  const judged = `multiIf(${e}.is_machine IS NULL, 1, ${e}.is_machine, 2, 0)`;
  const more = [
    `${e}.type IN ('opened', 'clicked'), ${judged}`,
    `${e}.type = 'bounced', ifNull(${e}.bounce_class, '') = 'hard'`,
    `${e}.type = 'complained', ifNull(${e}.feedback_type, '') = 'not-spam'`,
  ].join(', ');
  const kind = `transform(${e}.type, [${names}], [${numbers}], 0) + multiIf(${more}, 0)`;
  const time = `toUInt128(toUnixTimestamp64Milli(${e}.occurred_at) + ${EPOCH})`;
  return `bitOr(bitShiftLeft(toUInt128(${kind}), ${KIND_BITS}), bitOr(bitShiftLeft(${time}, ${TIME_BITS}), toUInt128(sipHash64(${e}.event_id))))`;
}

/** The number of a kind; `any`: 0, which stands for all of them in the maps of `factKindsSql`. */
export const kindSql = (name: string): string => (name === 'any' ? '0' : `${numberOf(name)}`);

/** Milliseconds of one fact. */
export const factTimeSql = (fact: string): string =>
  `toInt64(bitAnd(bitShiftRight(${fact}, ${TIME_BITS}), ${TIME_MASK})) - ${EPOCH}`;

/**
 * The kinds under which one fact is counted: `any`, its own, and the one that a reader means: every bounce is a bounce, and an open of which nobody says
 * who did it is taken for a person's.
 */
export function factKindsSql(fact: string): string {
  const kind = `toUInt8(bitShiftRight(${fact}, ${KIND_BITS}))`;
  const wider: readonly (readonly [Kind, Kind])[] = [
    ['hard_bounced', 'bounced'],
    ['opened', 'opened_by_person'],
    ['clicked', 'clicked_by_person'],
  ];
  const cases = wider.map(([own, all]) => `${kind} = ${FACTS[own]}, [0, ${FACTS[own]}, ${FACTS[all]}]`);
  return `multiIf(${cases.join(', ')}, [0, ${kind}])`;
}

/** Milliseconds of the facts in the set `f` of the first kind to the last one, both included; `any`: of all. */
export function factTimesSql(first: string, last = first): string {
  return `arrayMap(x -> ${factTimeSql('x')}, ${factsSql(first, last)})`;
}

/** Hashes of the ids of these events: the same event with two times is one. */
export function factIdsSql(first: string, last = first): string {
  return `arrayDistinct(arrayMap(x -> toUInt64(x), ${factsSql(first, last)}))`;
}

/** How many events these are. */
export const factCountSql = (first: string, last = first): string =>
  `toUInt64(length(${factIdsSql(first, last)}))`;

function factsSql(first: string, last: string): string {
  if (first === 'any') return 'f';
  const from = `bitShiftLeft(toUInt128(${numberOf(first)}), ${KIND_BITS})`;
  const to = `bitShiftLeft(toUInt128(${numberOf(last) + 1}), ${KIND_BITS})`;
  return `arrayFilter(x -> x >= ${from} AND x < ${to}, f)`;
}

function numberOf(name: string): number {
  if (!Object.hasOwn(FACTS, name)) throw new Error(`no fact ${name}`);
  return FACTS[name as Kind];
}

/** The time of an array of milliseconds by `arrayMin` or `arrayMax`; null of an empty one. */
export const timeSql = (which: string, times: string): string =>
  `if(empty(${times}), NULL, fromUnixTimestamp64Milli(${which}(${times}), 'UTC'))`;
