import { expect, test } from 'vitest';
import { deckFor, planFaults } from './schedule.ts';
import { isUpgrade, UPGRADED_SERVICES } from './targets.ts';
import { withUpgrades } from './upgrades.ts';

const MINUTE = 60_000;
const OPTIONS = { seed: 3, instances: 2, brokers: 1, durationMs: 9 * MINUTE };
const FAULTS = planFaults({ seed: 3, durationMs: 9 * MINUTE, everyMs: 4_000, deck: deckFor(1, false) });
const upgradesIn = (options: typeof OPTIONS) =>
  withUpgrades(FAULTS, options).filter(({ kind }) => isUpgrade(kind));

test('each instance of each service is upgraded once, in the middle third, and never the receiver', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const upgrades = upgradesIn({ ...OPTIONS, seed, instances: 3 });
    const names = upgrades.map(({ target, instance }) => `${target} ${instance}`);
    expect(names.toSorted()).toEqual(
      UPGRADED_SERVICES.flatMap((service) => [0, 1, 2].map((i) => `${service} ${i}`)).sort(),
    );
    expect(names.join()).not.toContain('receiver');
    const times = upgrades.map(({ atMs }) => atMs);
    expect(times[0]).toBe(3 * MINUTE);
    expect(times.every((atMs) => atMs < 6 * MINUTE)).toBe(true);
    expect(new Set(times).size).toBe(15);
  }
});

test('of two instances of a service one is stopped and one killed, which of them depends on the seed', () => {
  const first = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const upgrades = upgradesIn({ ...OPTIONS, seed });
    for (const service of UPGRADED_SERVICES) {
      const of = upgrades.filter(({ target }) => target === service);
      expect(of.map(({ kind }) => kind).sort()).toEqual(['kill-upgrade', 'upgrade']);
      first.add(`${of[0]?.kind} ${of[0]?.instance}`);
    }
  }
  expect(first.size).toBe(4);
});

test('the services come in any order', () => {
  const orders = Array.from({ length: 20 }, (_, seed) =>
    upgradesIn({ ...OPTIONS, seed })
      .map(({ target }) => target)
      .join(' '),
  );
  expect(new Set(orders).size).toBe(20);
});

test('the faults are as without upgrades, and all are in order and numbered', () => {
  const all = withUpgrades(FAULTS, OPTIONS);
  const others = all.filter(({ kind }) => !isUpgrade(kind));
  expect(others.map(({ index: _, ...fault }) => fault)).toEqual(
    FAULTS.map(({ index: _, ...fault }) => fault),
  );
  expect(all.map(({ index }) => index)).toEqual(all.map((_, i) => i));
  expect(all.map(({ atMs }) => atMs)).toEqual(all.map(({ atMs }) => atMs).sort((a, b) => a - b));
  expect(withUpgrades(FAULTS, OPTIONS)).toEqual(all);
});

test('on several brokers no upgrade begins while nothing may happen', () => {
  const upgrades = upgradesIn({ ...OPTIONS, brokers: 3 });
  expect(upgrades.filter(({ atMs }) => atMs % 300_000 > 255_000)).toEqual([]);
  expect(upgrades).toHaveLength(10);
});
