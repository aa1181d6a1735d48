import { expect, test } from 'vitest';
import type { EmittedEvent } from '../src/invariants.ts';
import { type Evidence, judge } from './judge.ts';

const names = ['a', 'b', 'c', 'd'];
const emitted: EmittedEvent[] = names.map((name, i) => ({
  ...{ name, recipient: `user${i % 2}@example.com`, topic: 'email.events.opened', partition: i % 2 },
  offset: BigInt(i),
}));
const reasons = new Map([['user0@example.com', 'complaint']]);

const stand = (ms: number) => ({
  ...{ group: 'g', topic: 't', partition: 0, ms, committed: 1n, end: 3n, at: 0 },
});

/** As it must be. */
const right: Evidence = {
  sent: {
    acknowledged: new Set(['a', 'b', 'c']),
    // Sent, never answered, and there all the same.
    uncertain: new Set(['d', 'e']),
    requestIds: new Set(['r1', 'r2']),
    suppressions: reasons,
    unexpected: 0,
    refused: [],
  },
  topics: {
    requestIds: new Set(['r1', 'r2', 'r3']),
    raw: { events: 5, failures: 1 },
    normalized: emitted.map(({ name, recipient }) => ({ name, recipient })),
    normalizedCount: 5,
    renormalized: [],
    emitted,
    totals: { received: 5, emitted: 4, duplicates: 1, deadLettered: 0 },
    suppressions: reasons,
    deadLetters: { normalize: 1 },
  },
  store: {
    rows: names,
    rollups: [{ view: 'hourly', groups: 2, differs: [], events: 4 }],
    deadLetters: { normalize: 1 },
    clickhouseSuppressions: reasons,
    crmSuppressions: reasons,
  },
  positions: [{ group: 'g', topic: 't', partition: 0, committed: 3n, end: 3n }],
  watch: { samples: 9, blindMs: 0, longest: [stand(2_000)] },
  groups: ['g'],
  surprises: [],
};
const [a, b, c, d] = emitted as [EmittedEvent, EmittedEvent, EmittedEvent, EmittedEvent];

/** The promises that are broken. */
function broken(change: {
  readonly sent?: Partial<Evidence['sent']>;
  readonly topics?: Partial<Evidence['topics']>;
  readonly store?: Partial<Evidence['store']>;
  readonly positions?: Evidence['positions'];
  readonly watch?: Partial<Evidence['watch']>;
  readonly surprises?: Evidence['surprises'];
  readonly upgrades?: Evidence['upgrades'];
}): string[] {
  const findings = judge({
    sent: { ...right.sent, ...change.sent },
    topics: { ...right.topics, ...change.topics },
    store: { ...right.store, ...change.store },
    positions: change.positions ?? right.positions,
    watch: { ...right.watch, ...change.watch },
    groups: right.groups,
    surprises: change.surprises ?? right.surprises,
    upgrades: change.upgrades,
  });
  return findings.filter(({ violations }) => violations.length > 0).map(({ promise }) => promise);
}

test('what came out right breaks no promise', () => {
  expect(broken({})).toEqual([]);
});

test('a loss on the typed topics is caught', () => {
  const found = broken({ topics: { emitted: [a, b, d] } });
  expect(found).toContain('every acknowledged event is on its typed topic');
  expect(found).toContain('received = emitted + duplicates + dead-lettered');
});

test('an acknowledged event that was never even normalized is caught', () => {
  const acknowledged = new Set([...right.sent.acknowledged, 'z']);
  expect(broken({ sent: { acknowledged } })).toEqual(['every acknowledged event is on its typed topic']);
});

test('an acknowledged request that is not in email.raw is caught', () => {
  expect(broken({ sent: { requestIds: new Set(['r1', 'lost']) } })).toEqual([
    'every acknowledged request is in email.raw',
  ]);
});

test('a duplicate on the typed topics, also on another topic, and an event of nobody are caught', () => {
  const twice = 'no event is there twice, and none that nobody sent';
  expect(broken({ topics: { emitted: [...emitted, { ...c, offset: 9n }] } })).toContain(twice);
  expect(broken({ topics: { emitted: [...emitted, { ...c, topic: 'email.events.other' }] } })).toContain(
    twice,
  );
  expect(broken({ topics: { emitted: [...emitted, { ...c, name: 'x', offset: 9n }] } })).toContain(twice);
});

test('a reordering within a recipient is caught', () => {
  const order = 'order per recipient, each on one partition';
  expect(broken({ topics: { emitted: [{ ...a, offset: 2n }, b, { ...c, offset: 0n }, d] } })).toEqual([
    order,
  ]);
  expect(broken({ topics: { emitted: [a, b, { ...c, partition: 7 }, d] } })).toEqual([order]);
});

test('a request that was normalized twice is caught, even if deduplication made up for it', () => {
  expect(broken({ topics: { renormalized: ['0/1/0 a at 0/1 and 0/7'] } })).toEqual([
    'no request was normalized twice',
  ]);
});

test('figures that do not add up are caught, at every step', () => {
  const promise = ['received = emitted + duplicates + dead-lettered'];
  expect(broken({ topics: { raw: { events: 6, failures: 1 } } })).toEqual(promise);
  expect(broken({ topics: { raw: { events: 5, failures: 2 } } })).toEqual(promise);
  expect(broken({ topics: { normalizedCount: 4 } })).toEqual(promise);
  expect(broken({ topics: { totals: { ...right.topics.totals, duplicates: 0 } } })).toEqual(promise);
  const deadLetters = { normalize: 1, 'sink-clickhouse': 1 };
  expect(broken({ topics: { deadLetters }, store: { deadLetters } })).toEqual(promise);
});

test('a row that is lost, twice or of nothing is caught, and so is a rollup that differs', () => {
  const table = 'ClickHouse: every event is one row';
  const rollup = 'ClickHouse: every row is once in every rollup';
  expect(broken({ store: { rows: ['a', 'b', 'c'] } })).toContain(table);
  const hourly = (change: object) => ({ rollups: [{ ...right.store.rollups[0]!, ...change }] });
  expect(broken({ store: { rows: [...names, 'd'], ...hourly({ events: 5 }) } })).toEqual([table]);
  expect(broken({ store: { rows: ['a', 'b', 'c', 'x'] } })).toEqual([table]);
  expect(broken({ store: hourly({ events: 5 }) })).toEqual([rollup]);
  expect(broken({ store: hourly({ differs: ['an hour too many and one too few'] }) })).toEqual([rollup]);
  expect(broken({ store: hourly({ events: undefined }) })).toEqual([]);
  expect(broken({ store: { rollups: [] } })).toEqual([rollup]);
});

test('a dead letter that is no row, and a row that is no dead letter, are caught', () => {
  const letters = 'ClickHouse: every dead letter is one row';
  expect(broken({ store: { deadLetters: {} } })).toEqual([letters]);
  expect(broken({ store: { deadLetters: { normalize: 1, events: 1 } } })).toEqual([letters]);
});

test('a group that stood still, that nobody saw, or that nobody watched is caught', () => {
  const still = 'no group stood still for half a minute';
  expect(broken({ watch: { longest: [stand(30_500)] } })).toEqual([still]);
  expect(broken({ watch: { longest: [] } })).toEqual([still]);
  expect(broken({ watch: { blindMs: 31_000 } })).toEqual([still]);
});

test('a request that was refused although nothing excused it is caught', () => {
  expect(broken({ sent: { refused: ['503 instead of 200'] } })).toEqual([
    'no request was refused while nothing worse was restarted than a broker',
  ]);
});

test('a suppression that is lost, stale or invented is caught, wherever it is', () => {
  expect(broken({ sent: { suppressions: new Map() } })).toEqual([
    'suppressions: the topic is as without any fault',
  ]);
  expect(broken({ store: { clickhouseSuppressions: new Map() } })).toEqual([
    'suppressions: ClickHouse is as the topic',
  ]);
  const other = new Map([['user0@example.com', 'hard_bounce']]);
  expect(broken({ store: { crmSuppressions: other } })).toEqual(['suppressions: the CRM is as the topic']);
});

test('a partition that is stuck, an unanswered sender and a process that ended are caught', () => {
  const positions = [{ group: 'g', topic: 't', partition: 0, committed: 2n, end: 3n }];
  expect(broken({ positions })).toEqual(['committed offsets = end offsets, no partition stuck']);
  expect(broken({ positions: [] })).toEqual(['committed offsets = end offsets, no partition stuck']);
  expect(broken({ sent: { unexpected: 1 } })).toEqual(['every sender got the right answer in the end']);
  expect(broken({ surprises: ['events-3 ended with exit code 1'] })).toEqual([
    'no process ended that nobody harmed',
  ]);
});

test('an instance that stayed of the old release, or was upgraded after the last event, is caught', () => {
  const promise = 'every instance was upgraded while events came';
  const upgraded = [{ instance: 'events-3', progress: 0.4 }];
  expect(broken({ upgrades: { upgraded, left: [] } })).toEqual([]);
  expect(broken({ upgrades: { upgraded, left: ['events-4'] } })).toEqual([promise]);
  const late = [...upgraded, { instance: 'events-4', progress: 1 }];
  expect(broken({ upgrades: { upgraded: late, left: [] } })).toEqual([promise]);
});
