import { markdownTable, replaceSection } from '@email-events/schemas/tools';

/** A metric as a service declares it, or tells it in Prometheus's text format. */
export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Names of its labels, besides those that every metric has. */
  readonly labels: readonly string[];
}

/** prom-client's own, of the process. */
const DEFAULT = /^(?:process|nodejs)_/;
/** Of the service; of each further CRM of one process; of the consumer by which `alerts` tells over HTTP; of buckets. */
const COMMON = ['service', 'crm', 'consumer', 'le'];

/**
 * The metrics of a service at /metrics, without those of every Node process. Labels are those of its samples: none where nothing has
 * happened yet.
 */
export function metricsIn(text: string): Metric[] {
  const help = new Map(
    [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', says = '']) => [name, says]),
  );
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    .map(([, name = '', type = '']) => ({
      name,
      type,
      help: help.get(name) ?? '',
      labels: labelsOf(name, text),
    }))
    .filter(({ name }) => !DEFAULT.test(name));
}

function labelsOf(name: string, text: string): string[] {
  const samples = text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, 'gm'));
  const labels = [...samples].flatMap(([, inner = '']) =>
    [...inner.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label = '']) => label),
  );
  return [...new Set(labels)].filter((label) => !COMMON.includes(label));
}

/** Where the end of a name does not say it, or says less than one wants to know. */
const UNITS: { readonly [name: string]: string } = {
  email_events_alerts_firing: 'alerts',
  email_events_alerts_judged_seconds: 'seconds since 1970',
  email_events_alerts_total: 'alerts',
  email_events_alerts_windows: 'windows',
  email_events_build_info: 'always 1',
  email_events_certificate_expires_seconds: 'seconds since 1970',
  email_events_consumer_lag: 'offsets',
  email_events_crm_breaker_state: '0, 1, 2',
  email_events_crm_call_limit: 'calls a second',
  email_events_crm_calls_total: 'recipient states',
  email_events_crm_engagement_call_limit: 'calls a second',
  email_events_crm_engagement_total: 'recipients, events',
  email_events_crm_engagement_waits: '0 or 1',
  email_events_crm_refused: '0 or 1',
  email_events_dead_letters_total: 'dead letters',
  email_events_events_total: 'events',
  email_events_events_handed_over_total: 'events',
  email_events_halted: '0 or 1',
  email_events_ingress_connections: 'connections',
  email_events_ingress_heavy_sources: 'sources',
  email_events_ingress_kafka_up: '0 or 1',
  email_events_ingress_quarantined_total: 'requests',
  email_events_ingress_spool_damaged_total: 'times',
  email_events_ingress_spool_drain: '0 or 1',
  email_events_ingress_spool_drained_total: 'requests',
  email_events_ingress_spool_refusals_total: 'requests',
  email_events_ingress_spool_set_aside: 'spools',
  email_events_ingress_spool_spooled_total: 'requests',
  email_events_ingress_spool_up: '0 or 1',
  email_events_lookup_refused_total: 'calls',
  email_events_normalize_counted_since_seconds: 'seconds since 1970',
  email_events_sink_redone_batches_total: 'batches',
  email_events_sink_retries_total: 'writes',
  email_events_state_entries: 'entries',
  email_events_stores_discarded_total: 'stores',
  email_events_transaction_failures_total: 'transactions',
};

const NAMED = /_(seconds|bytes|offsets|records|requests|recipients|partitions|items|addresses)(?:_total)?$/;

/** What a value of it counts or measures. Undefined: nobody has said it. */
export const unitOf = ({ name }: Pick<Metric, 'name'>): string | undefined =>
  UNITS[name] ?? NAMED.exec(name)?.[1];

/** Units of metrics that there are not. */
export const strayUnits = (names: ReadonlySet<string>): string[] =>
  Object.keys(UNITS).filter((name) => !names.has(name));

/** Says why a metric's name or help is wrong, by the conventions of Prometheus and of this project. */
export function misnamed(metrics: readonly Metric[]): string[] {
  return metrics.flatMap((metric) => {
    const { name, type, help } = metric;
    return [
      ...(name.startsWith('email_events_') ? [] : [`${name}: must begin with email_events_`]),
      ...((type === 'counter') === name.endsWith('_total')
        ? []
        : [`${name}: a ${type}; _total is of counters`]),
      ...(help.endsWith('.') ? [] : [`${name}: must say what it is in a sentence`]),
      ...(unitOf(metric) === undefined ? [`${name}: has no unit, by its name or in UNITS`] : []),
    ];
  });
}

/** What a running service tells and does not declare, or declares and does not tell, or tells otherwise. */
export function undeclared(told: readonly Metric[], declared: readonly Metric[]): string[] {
  const known = new Map(declared.map((metric) => [metric.name, metric]));
  const names = new Set(told.map(({ name }) => name));
  const differing = told.flatMap(({ name, type, help, labels }) => {
    const metric = known.get(name);
    if (!metric) return [`${name} is told and not declared`];
    const stray = labels.filter((label) => !metric.labels.includes(label));
    return [
      ...(metric.type === type && metric.help === help ? [] : [`${name} is declared otherwise`]),
      ...stray.map((label) => `${name} has the label ${label}, which is not declared`),
    ];
  });
  const silent = declared.filter(({ name }) => !names.has(name)).map(({ name }) => `${name} is not told`);
  return [...differing, ...silent];
}

/** The table of deploy/METRICS.md, from what each service declares. */
export function metricsTable(declared: ReadonlyMap<string, readonly Metric[]>): string {
  const services = new Map<string, { metric: Metric; labels: Set<string>; services: string[] }>();
  for (const [service, metrics] of declared)
    for (const metric of metrics) {
      const known = services.get(metric.name) ?? { metric, labels: new Set<string>(), services: [] };
      for (const label of metric.labels) known.labels.add(label);
      known.services.push(service);
      services.set(metric.name, known);
    }
  const rows = [...services.values()]
    .sort((a, b) => (a.metric.name < b.metric.name ? -1 : 1))
    .map(({ metric, labels, services: by }) => [
      `\`${metric.name}\``,
      metric.type,
      unitOf(metric) ?? '',
      [...labels].map((label) => `\`${label}\``).join(', '),
      by.sort().join(', '),
      metric.help,
    ]);
  return markdownTable([['metric', 'type', 'unit', 'labels', 'told by', 'meaning'], ...rows]);
}

/** The page with this table in it. Throws if it has no place for one. */
export const withTable = (page: string, table: string): string =>
  replaceSection(
    page,
    'metrics',
    'generated by `npm run gen` from the code that makes them, do not edit',
    table,
  );

/** Names of metrics in a text for people, which may end in a star for all that begin so. */
export function metricsNamedIn(markdown: string): string[] {
  const names = [...markdown.matchAll(/`(email_events_[a-z0-9_]+\*?)(?:\{[^`]*\})?`/g)];
  return [...new Set(names.map(([, name = '']) => name))];
}
