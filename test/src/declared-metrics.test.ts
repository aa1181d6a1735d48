import { readFileSync } from 'node:fs';
import { services } from '@email-events/cli/services';
import { expect, test } from 'vitest';
import { describedMetrics } from './declared-metrics.ts';
import { metricsTable, misnamed, strayUnits, withTable } from './metrics-page.ts';

const described = describedMetrics();

test('every service of a pipeline declares its metrics, and no other does', () => {
  expect([...described.keys()].sort()).toEqual(services.map(({ name }) => name).sort());
});

test('each has a name by the conventions, a sentence and a unit, and no unit is left over', () => {
  const all = [...described.values()].flat();
  expect(misnamed(all)).toEqual([]);
  expect(strayUnits(new Set(all.map(({ name }) => name)))).toEqual([]);
});

test('services that have a metric in common mean the same by it', () => {
  const meanings = new Map<string, Set<string>>();
  for (const { name, type, help } of [...described.values()].flat())
    meanings.set(name, (meanings.get(name) ?? new Set()).add(`${type}: ${help}`));
  expect([...meanings].filter(([, meant]) => meant.size > 1)).toEqual([]);
});

test('deploy/METRICS.md has them all, and no others', () => {
  const page = readFileSync(new URL('../../deploy/METRICS.md', import.meta.url), 'utf8');
  expect(withTable(page, metricsTable(described))).toBe(page);
});
