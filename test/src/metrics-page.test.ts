import { expect, test } from 'vitest';
import { metricsIn, metricsNamedIn, metricsTable, misnamed, withTable } from './metrics-page.ts';

const TEXT = `
# HELP process_cpu_seconds_total CPU.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1
# HELP email_events_lag Records | behind.
# TYPE email_events_lag gauge
# HELP email_events_calls_total Calls.
# TYPE email_events_calls_total counter
email_events_calls_total{outcome="ok"} 2
`;
const CALLS = { name: 'email_events_calls_total', type: 'counter', help: 'Calls.' };
const LAG = { name: 'email_events_lag', type: 'gauge', help: 'Records | behind.' };

test('metrics are what is told of the service, whether there is a sample or not', () => {
  expect(metricsIn(TEXT)).toEqual([LAG, CALLS]);
});

test('the table has each metric once, with who tells it', () => {
  const told = new Map([
    ['b', [LAG, CALLS]],
    ['a', [LAG]],
  ]);
  expect(metricsTable(told).split('\n').slice(2)).toEqual([
    '| `email_events_calls_total` | counter | b | Calls. |',
    '| `email_events_lag` | gauge | a, b | Records \\| behind. |',
  ]);
});

test.for([
  [{ ...LAG, name: 'crm_lag' }, 'begin with'],
  [{ ...LAG, name: 'email_events_lag_total' }, 'a gauge'],
  [{ ...CALLS, name: 'email_events_calls' }, 'a counter'],
  [{ ...CALLS, help: 'calls' }, 'sentence'],
] as const)('%o is misnamed', ([metric, problem]) => {
  expect(misnamed([metric])).toEqual([expect.stringContaining(problem)]);
  expect(misnamed([LAG, CALLS])).toEqual([]);
});

test('names in a text are found with their labels, and by their beginning', () => {
  const text =
    'a `email_events_lag`, `email_events_calls_total{outcome}` and `email_events_ingress_*`; `email_events`';
  expect(metricsNamedIn(text)).toEqual([
    'email_events_lag',
    'email_events_calls_total',
    'email_events_ingress_*',
  ]);
});

test('only the table of the page is replaced', () => {
  const page = (table: string) =>
    `# A\n<!-- metrics: compared with what running services tell -->\n${table}\n<!-- /metrics -->\nB\n`;
  expect(withTable(page('old'), 'new')).toBe(page('new'));
  expect(() => withTable('# A\n', 'new')).toThrow('no section');
});
