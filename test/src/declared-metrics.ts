import { createMetrics, measureCertificate, measureDisk, type Registry, silentLog } from '@email-events/core';
import { Lag, LoopMeasures, Standstill, sinkMeasures } from '@email-events/core/testing';
import { IngressMetrics, KafkaQuarantine, SpoolMetrics } from '@email-events/ingress/testing';
import {
  deadLetterReport,
  measureAlerts,
  measureEvents,
  measureNormalize,
} from '@email-events/processors/testing';
import { createCrmMetrics, createEngagementMetrics } from '@email-events/sink-crm/testing';
import { createLookupMetrics } from '@email-events/sink-lookup/testing';
import type { Metric } from './metrics-page.ts';

/** A registry with all metrics of each service, made by the code that makes them there, before anything has happened. */
const SERVICES: { readonly [service: string]: (metrics: Registry) => void } = {
  ingress: (metrics) => {
    new IngressMetrics(metrics, {
      ...{ inFlightBytes: () => 0, connections: () => 0, kafkaUp: () => true, heavySources: () => 0 },
    });
    const spool = { records: 0, bytes: 0, oldestAt: undefined, setAside: 0, problem: undefined };
    measureDisk(metrics, 'spool', '.');
    const producer = () => {
      throw new Error('nothing is kept here');
    };
    new KafkaQuarantine({ producer, requestsPerSecond: 1, bytesPerSecond: 1, metrics });
    measureCertificate(metrics, { expiresAt: 0 });
    new SpoolMetrics(metrics).watch({ status: spool, health: () => undefined }, { state: 'idle' });
  },
  normalize: (metrics) => {
    reading(metrics);
    new LoopMeasures(metrics);
    measureNormalize(metrics);
    deadLetterReport(metrics, silentLog);
  },
  events: (metrics) => {
    reading(metrics);
    new LoopMeasures(metrics);
    measureEvents(metrics, silentLog);
    measureDisk(metrics, 'state', '.');
  },
  'sink-clickhouse': (metrics) => {
    reading(metrics);
    sinkMeasures(metrics);
  },
  'sink-crm': (metrics) => {
    reading(metrics);
    sinkMeasures(metrics);
    createCrmMetrics(metrics, 'crm', {
      ...{ breakerLevel: () => 0, refused: () => false, callLimit: () => 10, now: Date.now },
    });
    createEngagementMetrics(metrics, 'crm', { callLimit: () => 2, waits: () => false });
  },
  alerts: (metrics) => {
    reading(metrics);
    sinkMeasures(metrics);
    measureAlerts(metrics);
  },
  lookup: (metrics) => {
    measureCertificate(metrics, { expiresAt: 0 });
    createLookupMetrics(metrics, {
      state: { size: 0, bytes: 0, unreadable: 0 },
      freshness: () => ({ ageMs: 0, behind: 0, problems: {} }),
      bytesUnderWay: () => 0,
    });
  },
};

function reading(metrics: Registry): void {
  new Lag({ places: () => [], bounds: async () => new Map(), metrics }).stop();
  new Standstill({ places: () => [], groupProblem: () => undefined, metrics, stuck: () => {} }).stop();
}

/** Of each service. */
export function declaredMetrics(): Map<string, Registry> {
  return new Map(
    Object.entries(SERVICES).map(([service, declare]) => {
      const metrics = createMetrics(service);
      declare(metrics);
      return [service, metrics];
    }),
  );
}

/** As the services describe them, labels too, without those of every Node process. */
export function describedMetrics(): Map<string, Metric[]> {
  const described = (metrics: Registry) =>
    metrics.getMetricsAsArray().flatMap((metric): Metric[] => {
      const { name, help } = metric;
      if (!name.startsWith('email_events_')) return [];
      const { labelNames = [] } = metric as unknown as { labelNames?: readonly string[] };
      return [{ name, help, type: metric.constructor.name.toLowerCase(), labels: [...labelNames] }];
    });
  return new Map([...declaredMetrics()].map(([service, metrics]) => [service, described(metrics)]));
}
