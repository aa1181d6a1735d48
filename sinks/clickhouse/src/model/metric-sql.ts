import { METRICS, type Metric } from './metrics.ts';

const TYPES: { readonly [kind in Metric['kind']]: string } = {
  count: 'UInt64',
  rate: 'Nullable(Float64)',
  seconds: 'Nullable(Float64)',
};

/** Columns of a view, with their comments. */
export function metricColumns(names: readonly string[]): string {
  return names
    .map((name) => {
      const metric = metricOf(name);
      return `  ${name} ${TYPES[metric.kind]} COMMENT '${commentOf(metric).replaceAll("'", "\\'")}'`;
    })
    .join(',\n');
}

/** What fills these columns, over rows of `messages AS m`. A rate needs its counts beside it. */
export function metricValues(names: readonly string[]): string {
  return names
    .map((name) => {
      const metric = metricOf(name);
      if (metric.kind === 'rate')
        for (const part of [metric.numerator, metric.denominator])
          if (!names.includes(part)) throw new Error(`${name} needs ${part} beside it`);
      return `  ${aggregateOf(metric)} AS ${name}`;
    })
    .join(',\n');
}

export function commentOf(metric: Metric): string {
  if (metric.kind === 'rate') return `${metric.meaning}: ${metric.numerator} / ${metric.denominator}`;
  return metric.meaning;
}

function aggregateOf(metric: Metric): string {
  if (metric.kind === 'count') return metric.sql;
  if (metric.kind === 'rate') return `${metric.numerator} / nullIf(${metric.denominator}, 0)`;
  const { from, to, quantile } = metric;
  const taken = `dateDiff('millisecond', m.${from}, m.${to}) / 1000`;
  return `quantileExactOrNullIf(${quantile})(${taken}, ifNull(m.${to} >= m.${from}, false))`;
}

function metricOf(name: string): Metric {
  const metric = METRICS[name];
  if (!metric) throw new Error(`no metric ${name}`);
  return metric;
}
