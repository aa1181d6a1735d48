import { expect, test } from 'vitest';
import { behind, spanOf } from './concerns.ts';
import type { FaultKind, Target } from './targets.ts';

const groupOf = new Map(
  ['normalize', 'events', 'sink-clickhouse', 'sink-crm'].map((name) => [name, `g.${name}`]),
);
const ALL = [...groupOf.values()];

const span = (kind: FaultKind, target: Target) =>
  spanOf(
    {
      fault: { ...{ index: 0, atMs: 0, kind, target }, instance: 0, lastsMs: 0, delayMs: 0 },
      ...{ harmedAt: 1_000, wellAt: 4_000, done: true },
    },
    groupOf,
    6_000,
  );

test('a broker concerns everybody until it is well, an outage of two for a minute more', () => {
  expect(span('kill', 'leader')).toEqual({ groups: ALL, from: 1_000, until: 4_000 });
  expect(span('pause', 'kafka')).toEqual({ groups: ALL, from: 1_000, until: 4_000 });
  expect(span('elect', 'cluster')).toEqual({ groups: ALL, from: 1_000, until: 4_000 });
  expect(span('outage', 'cluster')).toEqual({ groups: ALL, from: 1_000, until: 64_000 });
});

test('a member concerns its group until the others have missed it, a store the one who writes to it', () => {
  expect(span('kill', 'events')).toEqual({ groups: ['g.events'], from: 1_000, until: 10_000 });
  expect(span('kill', 'clickhouse')).toEqual({ groups: ['g.sink-clickhouse'], from: 1_000, until: 4_000 });
  expect(span('kill', 'receiver')).toEqual({ groups: ['g.sink-crm'], from: 1_000, until: 4_000 });
  expect(span('kill', 'ingress').groups).toEqual([]);
});

test('the registry concerns whoever starts, but is caught up with by nobody', () => {
  expect(span('kill', 'registry').groups).toEqual(ALL);
  expect(behind('registry')).toEqual([]);
});
