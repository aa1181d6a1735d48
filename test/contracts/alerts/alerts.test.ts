import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INGRESS_CODES } from '@email-events/ingress';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { programPath, promtool } from '../../harness/prometheus.ts';
import { describedMetrics } from '../../src/declared-metrics.ts';
import { alerts, FOLDER, firedIn, rules, ruleTests, straysIn, TEST_FILES } from './rules.ts';

// It may have to be downloaded.
beforeAll(() => programPath('promtool'), 300_000);

const names = alerts.map(({ alert }) => alert);
const runbook = readFileSync(join(FOLDER, '../RUNBOOK.md'), 'utf8');

test('promtool reads the rules and the configuration', async () => {
  const files = ['slo.rules.yml', 'alerts.rules.yml'].map((file) => join(FOLDER, file));
  expect(await promtool(['check', 'rules', ...files])).toMatchObject({ code: 0 });
  expect(await promtool(['check', 'config', join(FOLDER, 'prometheus.yml')])).toMatchObject({ code: 0 });
});

test.each(TEST_FILES)('the unit tests in %s succeed', { timeout: 300_000 }, async (file) => {
  expect(await promtool(['test', 'rules', join(FOLDER, 'tests', file)])).toEqual({
    code: 0,
    out: expect.stringContaining('SUCCESS'),
  });
});

test('a unit test that is wrong would fail', async () => {
  // The one that takes least time.
  const file = join(FOLDER, 'tests/sinks.test.yml');
  const wrong = readFileSync(file, 'utf8')
    .replaceAll('value: 1 }', 'value: 2 }')
    .replaceAll('../', `${FOLDER}/`);
  // A file: promtool cannot open what Node gives it for standard input.
  const folder = mkdtempSync(join(tmpdir(), 'alerts-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'wrong.test.yml'), wrong);
  expect(await promtool(['test', 'rules', join(folder, 'wrong.test.yml')])).toEqual({
    code: 1,
    out: expect.stringContaining('FAILED'),
  });
});

test('every alert is seen to fire by a unit test, and before that or after it not to', () => {
  const tested = ruleTests.map((one) => ({ fired: firedIn(one), checks: one.promql_expr_test }));
  const untested = names.filter(
    (name) =>
      !tested.some(
        ({ fired, checks }) =>
          fired.includes(name) &&
          checks.some(
            ({ exp_samples: samples }) => !samples.some(({ labels }) => labels.includes(`"${name}"`)),
          ),
      ),
  );
  expect(untested).toEqual([]);
  expect(tested.flatMap(({ fired }) => fired).filter((name) => !names.includes(name))).toEqual([]);
});

test('every alert has an entry in the runbook, which says how urgent it is, and no other has', () => {
  const entries = [...runbook.matchAll(/^### (\w+)\n\n`(\w+)`\./gm)].map(([, name, severity]) => [
    name,
    severity,
  ]);
  expect(entries.sort()).toEqual(alerts.map(({ alert, labels }) => [alert, labels?.severity]).sort());
  expect(new Set(names).size).toBe(names.length);
  for (const { alert, annotations } of alerts) {
    expect(annotations?.runbook).toBe(`deploy/RUNBOOK.md#${alert.toLowerCase()}`);
    expect(annotations?.summary, alert).toMatch(/\.$/);
  }
});

test('rules ask for metrics and labels that there are, and for nothing that no rule records', () => {
  expect(
    straysIn(
      rules.map(({ expr }) => expr),
      [...describedMetrics().values()].flat(),
    ),
  ).toEqual([]);
  const recorded = rules.flatMap(({ record }) => record ?? []);
  const used = new Set(
    rules.flatMap(({ expr }) => [...expr.matchAll(/email_events:[a-z0-9_:]+/g)].map(([name]) => name)),
  );
  expect(recorded.filter((name) => !used.has(name))).toEqual([]);
});

test('the objective counts every "later" of ours, and none that a sender can bring about', () => {
  const ours = /^(?:KAFKA_.+|INGRESS_(?:OVERLOADED|SPOOL_FULL|SPOOL_UNAVAILABLE|UNEXPECTED))$/;
  const bySenders = ['INGRESS_DOCUMENT_UNAVAILABLE', 'INGRESS_HANDSHAKE_FAILED'];
  const later = Object.entries(INGRESS_CODES).flatMap(([code, { answer }]) =>
    answer === 'later' ? [code] : [],
  );
  expect(later.filter((code) => !ours.test(code)).sort()).toEqual(bySenders);
  const exprs = rules.flatMap(({ record, expr }) => (record?.includes('refused_by_us') ? [expr] : []));
  for (const expr of exprs) expect(expr).toContain(`code=~"${ours.source.slice(4, -2).replace('(?:', '(')}"`);
});
