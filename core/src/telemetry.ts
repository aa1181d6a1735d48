import { createHash } from 'node:crypto';
import { type Logger, pino } from 'pino';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import packageFacts from '../package.json' with { type: 'json' };

export type { Logger };

/**
 * One JSON line an event on standard output, with the service's name. Fixed fields where they apply:
 * code, esp, source, topic, partition, offset, requestId. Never an address, a payload or a secret.
 */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}

export { Counter, Gauge, Histogram, Registry };

/** The part of a registry that shows it. */
export type MetricsText = Pick<Registry, 'contentType' | 'metrics'>;

/**
 * Several registries as one text, for parts of a process that have metrics of the same names: each part has a registry with default labels
 * of its own. A name comes once, with the samples of all parts behind it, as the format wants it.
 */
export function combinedMetrics(first: Registry, others: readonly Registry[]): MetricsText {
  return {
    contentType: first.contentType,
    async metrics() {
      const texts = await Promise.all([first, ...others].map((registry) => registry.metrics()));
      const families = new Map<string, string[]>();
      for (const text of texts) addFamilies(families, text);
      return [...families.values()].flat().join('\n').concat('\n');
    },
  };
}

const HELP = /^# HELP (\S+) /;

/** Lines of each metric by its name: the first that has it says what it means, and of which type it is. */
function addFamilies(families: Map<string, string[]>, text: string): void {
  let lines: string[] = [];
  let known = false;
  for (const line of text.split('\n')) {
    const name = HELP.exec(line)?.[1];
    if (name !== undefined) {
      const before = families.get(name);
      known = before !== undefined;
      lines = before ?? [];
      families.set(name, lines);
    }
    if (line !== '' && !(known && line.startsWith('#'))) lines.push(line);
  }
}

/** Of this release: all packages have the same. */
export const { version: VERSION } = packageFacts;

/**
 * Names a configuration, so that an operator sees whether two instances run with the same, and whether a change has arrived: twelve
 * hex digits of a digest. Secrets are not in it, since they are never written out.
 */
export const digestOf = (config: object): string =>
  createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 12);

/** Metrics of Node that prom-client calls as only counters are called; the same figures by kind are in those without `_total`. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** A registry of a service's own metrics plus the process's (CPU, memory, event loop lag), and what runs there. */
export function createMetrics(service: string, config: object = {}): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  new Gauge({
    name: 'email_events_build_info',
    help: 'Always 1: version of this release, of Node, and the digest of the effective configuration without its secrets.',
    labelNames: ['version', 'node', 'config'],
    registers: [registry],
    aggregator: 'first',
  }).set({ version: VERSION, node: process.versions.node, config: digestOf(config) }, 1);
  return registry;
}

/** All metrics of one process, as its registry gives them for others to add up. */
export type MetricsReport = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/**
 * The metrics of several processes as those of one, in Prometheus's text format: sums, unless a metric says by its `aggregator` what else
 * it is of all. What prom-client leaves out, such as when the process started, is that of the first.
 */
export function mergedMetrics(reports: readonly MetricsReport[]): Promise<string> {
  const kept = reports.map((metrics) =>
    metrics.map((metric) =>
      metric.aggregator === 'omit' ? { ...metric, aggregator: 'first' as const } : metric,
    ),
  );
  return AggregatorRegistry.aggregate(kept).metrics();
}
