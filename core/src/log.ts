import { type Logger, pino } from 'pino';

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
