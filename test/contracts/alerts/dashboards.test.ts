import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { programPath, promtool } from '../../harness/prometheus.ts';
import { describedMetrics } from '../../src/declared-metrics.ts';
import { DASHBOARDS } from '../analytics/dashboards.ts';
import { knownLabels, selectorsIn, straysIn } from './rules.ts';

// What the dashboards ask of Prometheus. What they ask of ClickHouse is run: test/contracts/analytics/dashboards.stack.test.ts.

// It may have to be downloaded.
beforeAll(() => programPath('promtool'), 300_000);

const folder = mkdtempSync(join(tmpdir(), 'dashboards-'));
afterAll(() => rmSync(folder, { recursive: true }));

const METRICS = [...describedMetrics().values()].flat();

interface Query {
  readonly where: string;
  readonly expr: string;
  readonly legend: string;
}

const QUERIES = DASHBOARDS.flatMap(({ uid, panels }) =>
  panels.flatMap(({ title, targets }) =>
    targets.flatMap((target): Query[] => {
      const { expr, legendFormat = '' } = target as { expr?: string; legendFormat?: string };
      return expr === undefined ? [] : [{ where: `${uid}: ${title}`, expr, legend: legendFormat }];
    }),
  ),
);

test('Prometheus reads every expression, and a wrong one it would not', async () => {
  expect(QUERIES.length).toBeGreaterThan(15);
  const checked = (exprs: readonly string[]) => {
    // Grafana puts a duration in its place.
    const rules = exprs.map((expr, at) => ({
      record: `panel_${at}`,
      expr: expr.replaceAll('$__rate_interval', '1m'),
    }));
    // A file: promtool cannot open what Node gives it for standard input.
    const file = join(folder, 'panels.rules.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    return promtool(['check', 'rules', file]);
  };
  expect(await checked(QUERIES.map(({ expr }) => expr))).toEqual({
    code: 0,
    out: expect.stringContaining(`SUCCESS: ${QUERIES.length} rules found`),
  });
  expect(await checked(['sum by (x (y)'])).toEqual({
    code: 1,
    out: expect.stringContaining('could not parse expression'),
  });
});

test('every metric and label that they ask for is told by some service, every recorded one by a rule', () => {
  expect(
    straysIn(
      QUERIES.map(({ expr }) => expr),
      METRICS,
    ),
  ).toEqual([]);
});

test('lines are grouped and named by labels that there are', () => {
  const labels = knownLabels(METRICS);
  for (const { where, expr, legend } of QUERIES) {
    const names = selectorsIn(expr).map(({ name }) => name);
    const known = names.flatMap((name) => [
      ...(labels.get(name.replace(/_bucket$/, '')) ?? ['service', 'instance']),
    ]);
    const grouped = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/);
    const named = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
    expect([where, (grouped ?? []).filter((label) => !known.includes(label))]).toEqual([where, []]);
    expect([where, named.filter((label) => !(grouped ?? known).includes(label))]).toEqual([where, []]);
  }
});
