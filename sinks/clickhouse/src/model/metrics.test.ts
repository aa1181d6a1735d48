import { expect, test } from 'vitest';
import { metricColumns, metricValues } from './metric-sql.ts';
import { METRICS } from './metrics.ts';

test('a rate is of two counts', () => {
  for (const [name, metric] of Object.entries(METRICS)) {
    expect(name).toMatch(/^[a-z0-9_]+$/);
    if (metric.kind !== 'rate') continue;
    expect(METRICS[metric.numerator]?.kind, name).toBe('count');
    expect(METRICS[metric.denominator]?.kind, name).toBe('count');
  }
});

test('how a message ends adds up', () => {
  const ends = ['delivered', 'hard_bounced', 'soft_bounced', 'dropped'].map((name) => {
    const metric = METRICS[name];
    return metric?.kind === 'count' ? /outcome = '(\w+)'/.exec(metric.sql)?.[1] : undefined;
  });
  const attempted = METRICS.attempted;
  for (const end of ends) expect(attempted?.kind === 'count' && attempted.sql).toContain(`'${end}'`);
});

test('columns have the definition as their comment; a rate has its counts beside it', () => {
  expect(metricColumns(['delivery_rate'])).toBe(
    "  delivery_rate Nullable(Float64) COMMENT 'Share of the messages that ended which were delivered: delivered / attempted'",
  );
  expect(metricValues(['attempted', 'delivered', 'delivery_rate'])).toMatch(
    /delivered \/ nullIf\(attempted, 0\) AS delivery_rate$/,
  );
  expect(() => metricValues(['delivered', 'delivery_rate'])).toThrow(
    'delivery_rate needs attempted beside it',
  );
  expect(() => metricValues(['unknown'])).toThrow('no metric unknown');
});
