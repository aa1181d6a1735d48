import { expect, test } from 'vitest';
import { pick, planFaults, SHORT_DECK, WHOLE_DECK } from './schedule.ts';

const MINUTE = 60_000;

test('the same seed gives the same faults, another seed others', () => {
  const options = { seed: 3, durationMs: 20 * MINUTE, everyMs: 4_000 };
  expect(planFaults(options)).toEqual(planFaults(options));
  expect(planFaults({ ...options, seed: 4 })).not.toEqual(planFaults(options));
});

test('twenty minutes are enough for two hundred kills, fifty of them around ClickHouse, and for all else', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const faults = planFaults({ seed, durationMs: 20 * MINUTE, everyMs: 4_000 });
    const kills = faults.filter(({ kind }) => kind === 'kill');
    expect(kills.length).toBeGreaterThanOrEqual(200);
    const clickhouse = kills.filter(({ target }) => target === 'sink-clickhouse' || target === 'clickhouse');
    expect(clickhouse.length).toBeGreaterThanOrEqual(50);
    const dealt = new Set(faults.map(({ kind, target }) => `${kind} ${target}`));
    expect([...dealt].sort()).toEqual(WHOLE_DECK.map(([kind, target]) => `${kind} ${target}`).sort());
  }
});

test('the short deck is dealt whole before it is dealt again', () => {
  const faults = planFaults({ seed: 1, durationMs: 10 * MINUTE, everyMs: 5_000, deck: SHORT_DECK });
  const first = faults.slice(0, SHORT_DECK.length).map(({ kind, target }) => `${kind} ${target}`);
  expect(first.sort()).toEqual(SHORT_DECK.map(([kind, target]) => `${kind} ${target}`).sort());
});

test('some faults can be picked by name', () => {
  expect(pick(WHOLE_DECK, ['cut kafka', 'slow']).map(([kind, target]) => `${kind} ${target}`)).toEqual([
    'cut kafka',
    'slow kafka',
    'slow clickhouse',
  ]);
  expect(pick(WHOLE_DECK, [])).toBe(WHOLE_DECK);
});

test('faults come in order, within their time, and end', () => {
  const faults = planFaults({ seed: 9, durationMs: MINUTE, everyMs: 1_000 });
  expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).sort((a, b) => a - b));
  expect(faults.every(({ atMs, lastsMs }) => atMs < MINUTE && lastsMs <= 15_000)).toBe(true);
  expect(planFaults({ seed: 9, durationMs: 0, everyMs: 1_000 })).toEqual([]);
});
