import { beforeAll, expect, test } from 'vitest';
import { programPath, promtool } from '../harness/prometheus.ts';
import { declaredMetrics } from './declared-metrics.ts';

// It may have to be downloaded.
beforeAll(() => programPath('promtool'), 300_000);

test.each([...declaredMetrics()])('promtool finds nothing wrong with those of %s', async (_, metrics) => {
  expect(await promtool(['check', 'metrics'], await metrics.metrics())).toEqual({ code: 0, out: '' });
});

test('promtool would find it', async () => {
  const wrong = '# HELP lag Behind.\n# TYPE lag counter\nlag 1\n';
  expect(await promtool(['check', 'metrics'], wrong)).toMatchObject({ code: 3 });
});
