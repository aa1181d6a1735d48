import { type Logger, pino } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

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

/** A registry of a service's own metrics plus the process's (CPU, memory, event loop lag). */
export function createMetrics(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}
