import { markdownTable, replaceSection } from '@email-events/schemas/tools';

/** A metric as a service tells it in Prometheus's text format. */
export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** prom-client's own, of the process. */
const DEFAULT = /^(?:process|nodejs)_/;

/** The metrics of a service at /metrics, without those of every Node process. */
export function metricsIn(text: string): Metric[] {
  const help = new Map(
    [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', says = '']) => [name, says]),
  );
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    .map(([, name = '', type = '']) => ({ name, type, help: help.get(name) ?? '' }))
    .filter(({ name }) => !DEFAULT.test(name));
}

/** Says why a metric's name or help is wrong, by the conventions of Prometheus and of this project. */
export function misnamed(metrics: readonly Metric[]): string[] {
  return metrics.flatMap(({ name, type, help }) => [
    ...(name.startsWith('email_events_') ? [] : [`${name}: must begin with email_events_`]),
    ...((type === 'counter') === name.endsWith('_total')
      ? []
      : [`${name}: a ${type}; _total is of counters`]),
    ...(help.endsWith('.') ? [] : [`${name}: must say what it is in a sentence`]),
  ]);
}

/** The table of deploy/METRICS.md, from what each service told. */
export function metricsTable(told: ReadonlyMap<string, readonly Metric[]>): string {
  const services = new Map<string, { metric: Metric; services: string[] }>();
  for (const [service, metrics] of told)
    for (const metric of metrics) {
      const known = services.get(metric.name) ?? { metric, services: [] };
      if (!known.services.includes(service)) known.services.push(service);
      services.set(metric.name, known);
    }
  const rows = [...services.values()]
    .sort((a, b) => (a.metric.name < b.metric.name ? -1 : 1))
    .map(({ metric: { name, type, help }, services: by }) => [
      `\`${name}\``,
      type,
      by.sort().join(', '),
      help,
    ]);
  return markdownTable([['metric', 'type', 'told by', 'meaning'], ...rows]);
}

/** The page with this table in it. Throws if it has no place for one. */
export const withTable = (page: string, table: string): string =>
  replaceSection(page, 'metrics', 'compared with what running services tell', table);

/** Names of metrics in a text for people, which may end in a star for all that begin so. */
export function metricsNamedIn(markdown: string): string[] {
  const names = [...markdown.matchAll(/`(email_events_[a-z0-9_]+\*?)(?:\{[^`]*\})?`/g)];
  return [...new Set(names.map(([, name = '']) => name))];
}
