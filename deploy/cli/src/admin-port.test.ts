import { Counter, Gauge, Registry } from '@email-events/core';
import { expect, test } from 'vitest';
import { parseMetrics, sumBy } from './admin-port.ts';

test('reads what the services write', async () => {
  const registry = new Registry();
  registry.setDefaultLabels({ service: 'events' });
  const totals = new Gauge({
    name: 'totals',
    help: 'a "help", {with} = signs',
    labelNames: ['partition', 'result'],
    registers: [registry],
  });
  totals.set({ partition: 0, result: 'emitted' }, 5);
  totals.set({ partition: 1, result: 'emitted' }, 7);
  totals.set({ partition: 1, result: 'duplicate' }, 1e12);
  const odd = new Counter({ name: 'odd', help: 'h', labelNames: ['text'], registers: [registry] });
  odd.inc({ text: 'a "b", c\\d\ne}' });

  const samples = parseMetrics(await registry.metrics());
  expect(sumBy(samples, 'totals', 'result')).toEqual({ emitted: 12, duplicate: 1e12 });
  expect(sumBy(samples, 'odd', 'text')).toEqual({ 'a "b", c\\d\ne}': 1 });
  expect(sumBy(samples, 'none', 'result')).toEqual({});
});
