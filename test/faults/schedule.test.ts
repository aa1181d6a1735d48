import { expect, test } from 'vitest';
import {
  afterQuiet,
  BROKER_RESTARTS,
  deckFor,
  isGentle,
  pick,
  planFaults,
  SHORT_DECK,
  WHOLE_DECK,
} from './schedule.ts';
import type { Card } from './targets.ts';
import { isOfBrokers } from './targets.ts';

const MINUTE = 60_000;
const SEVERAL = deckFor(3, false);
const named = ([kind, target]: Card) => `${kind} ${target}`;
const nameOf = ({ kind, target }: { readonly kind: string; readonly target: string }) => `${kind} ${target}`;

test('the same seed gives the same faults, another seed others', () => {
  const options = { seed: 3, durationMs: 20 * MINUTE, everyMs: 4_000, deck: SEVERAL, brokers: 3 };
  expect(planFaults(options)).toEqual(planFaults(options));
  expect(planFaults({ ...options, seed: 4 })).not.toEqual(planFaults(options));
});

test('twenty minutes are enough for two hundred kills, fifty of them around ClickHouse, and for all else', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const faults = planFaults({ seed, durationMs: 20 * MINUTE, everyMs: 4_000, deck: WHOLE_DECK });
    const kills = faults.filter(({ kind }) => kind === 'kill');
    expect(kills.length).toBeGreaterThanOrEqual(200);
    const clickhouse = kills.filter(({ target }) => target === 'sink-clickhouse' || target === 'clickhouse');
    expect(clickhouse.length).toBeGreaterThanOrEqual(50);
    expect([...new Set(faults.map(nameOf))].sort()).toEqual(WHOLE_DECK.map(named).sort());
  }
});

test('on three brokers they are enough for forty brokers and a hundred others, and each fault comes', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const faults = planFaults({ seed, durationMs: 20 * MINUTE, everyMs: 4_000, deck: SEVERAL, brokers: 3 });
    const ended = faults.filter(({ kind }) => kind === 'kill' || kind === 'restart');
    expect(ended.filter(({ target }) => isOfBrokers(target)).length).toBeGreaterThanOrEqual(40);
    const others = faults.filter(({ kind, target }) => kind === 'kill' && !isOfBrokers(target));
    expect(others.length).toBeGreaterThanOrEqual(100);
    expect(new Set(faults.map(nameOf))).toEqual(new Set(SEVERAL.map(named)));
  }
});

test('restarts of brokers come in rounds, each broker in turn', () => {
  const faults = planFaults({
    ...{ seed: 5, durationMs: 5 * MINUTE, everyMs: 4_000 },
    ...{ deck: BROKER_RESTARTS, brokers: 3 },
  });
  expect(faults.length).toBeGreaterThanOrEqual(9);
  expect(faults.map(({ instance }) => instance)).toEqual(faults.map((_, i) => i % 3));
});

test('now and then nothing begins for a while', () => {
  expect(afterQuiet(10_000)).toBe(10_000);
  expect(afterQuiet(299_000)).toBe(300_000);
  expect(afterQuiet(300_000)).toBe(300_000);
  const faults = planFaults({ seed: 2, durationMs: 20 * MINUTE, everyMs: 4_000, deck: SEVERAL, brokers: 3 });
  expect(faults.filter(({ atMs }) => atMs % 300_000 > 255_000)).toEqual([]);
});

test('a deck that is dealt once has each card once, however long that takes', () => {
  for (const [brokers, deck] of [
    [1, SHORT_DECK],
    [3, deckFor(3, true)],
  ] as const) {
    const faults = planFaults({ seed: 1, durationMs: 1, everyMs: 5_000, deck, brokers, once: true });
    const cards = faults.filter(
      ({ kind, target, instance }) => !(isOfBrokers(target) && kind === 'restart') || instance === 0,
    );
    expect(cards.map(nameOf).sort()).toEqual(deck.map(named).sort());
  }
});

test('some faults can be picked by name, none at all too, and a name that is none is told', () => {
  expect(pick(WHOLE_DECK, ['cut kafka', 'slow'])?.map(named)).toEqual([
    'cut kafka',
    'slow kafka',
    'slow clickhouse',
  ]);
  expect(pick(WHOLE_DECK, [])).toBe(WHOLE_DECK);
  expect(pick(WHOLE_DECK, ['none'])).toEqual([]);
  expect(pick(SEVERAL, ['broker-restarts'])).toEqual(BROKER_RESTARTS);
  expect(pick(WHOLE_DECK, ['kill kafak'])).toBeUndefined();
  expect(pick(WHOLE_DECK, ['none', 'kill'])).toBeUndefined();
});

test('requests must be answered at once where nothing worse than a restart of a broker happens', () => {
  expect(isGentle(BROKER_RESTARTS)).toBe(true);
  expect(isGentle([])).toBe(true);
  expect(isGentle(deckFor(3, true))).toBe(false);
  expect(isGentle([['restart', 'ingress', 1]])).toBe(false);
});

test('faults come in order, within their time, and end', () => {
  const faults = planFaults({ seed: 9, durationMs: MINUTE, everyMs: 1_000, deck: SEVERAL, brokers: 3 });
  expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).sort((a, b) => a - b));
  expect(faults.every(({ atMs, lastsMs }) => atMs < MINUTE && lastsMs <= 20_000)).toBe(true);
  expect(planFaults({ seed: 9, durationMs: 0, everyMs: 1_000, deck: WHOLE_DECK })).toEqual([]);
  expect(planFaults({ seed: 9, durationMs: MINUTE, everyMs: 1_000, deck: [] })).toEqual([]);
});
