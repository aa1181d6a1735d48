import {
  type DependencyState,
  GroupCommitProducer,
  kafkaTransport,
  type ServiceContext,
  type StopStep,
} from '@email-events/core';
import { largestRawRecord, topics } from '@email-events/schemas';
import type { IngressConfig } from './config.ts';
import { type SpoolReport, spoolReport } from './ingress-status.ts';
import type { Placement } from './placement.ts';
import { KafkaPublisher, type Publisher } from './publisher.ts';
import { Drain } from './spool/drain.ts';
import { Spool } from './spool/spool.ts';
import { SpoolMetrics } from './spool/spool-metrics.ts';
import { SpooledPublisher } from './spool/spooled-publisher.ts';

/** What makes requests durable: Kafka, and the spool if there is one. */
export interface Publishing {
  readonly publisher: Publisher;
  readonly readiness: { readonly [dependency: string]: () => DependencyState };
  kafkaUp(): boolean;
  /** What waits in the spool of this process; null: it is switched off. */
  spooled(): SpoolReport | null;
  /** In this order, when no request is in the house any more. */
  readonly stopSteps: readonly StopStep[];
}

/** `drained`: a request of this source went from the spool to Kafka. Throws ConfigError. */
export async function startPublishing(
  service: ServiceContext<IngressConfig>,
  placement: Placement,
  drained: (source: string) => void,
): Promise<Publishing> {
  const { config, log } = service;
  const { publishTimeoutMs, maxInFlightBytes, spool: settings } = config.ingress;
  const producer = new GroupCommitProducer({
    transport: kafkaTransport(config.kafka, 'ingress', topics.raw, publishTimeoutMs, log),
    log,
    publishTimeoutMs,
    maxWaitingBytes: maxInFlightBytes,
    maxRecordBytes: largestRawRecord(config.topics),
  });
  const kafkaUp = () => producer.health() === undefined;
  const stopProducer = { name: 'producer', deadlineMs: 5_000, run: () => producer.close() };
  if (!settings.enabled) {
    await producer.start();
    const readiness = { kafka: () => producer.health() };
    const publisher = new KafkaPublisher(producer);
    return { publisher, readiness, kafkaUp, spooled: () => null, stopSteps: [stopProducer] };
  }
  const metrics = new SpoolMetrics(service.metrics);
  const spool = await Spool.start({ ...settings, log, damaged: () => metrics.damaged() });
  const drain = new Drain({
    spool,
    producer,
    placement,
    log,
    drained: (source) => {
      metrics.drained();
      drained(source);
    },
    refused: () => metrics.setAside(),
  });
  metrics.watch(spool, drain);
  await producer.start();
  drain.start();
  return {
    publisher: new SpooledPublisher({ producer, spool, afterMs: settings.afterMs, counts: metrics }),
    readiness: readinessOf(producer, spool),
    kafkaUp,
    spooled: () => spoolReport(spool.status),
    stopSteps: [
      // What Kafka does not acknowledge by then stays in the spool.
      { name: 'spool drain', deadlineMs: 2_000, run: () => drain.stop() },
      stopProducer,
      { name: 'spool', deadlineMs: 5_000, run: () => spool.close() },
    ],
  };
}

/** One of the two is enough to take requests. */
function readinessOf(producer: Pick<GroupCommitProducer, 'health'>, spool: Pick<Spool, 'health'>) {
  const stateOf = (problem: string | undefined, other: string | undefined): DependencyState =>
    problem === undefined || other !== undefined ? problem : { degraded: problem };
  return {
    kafka: () => stateOf(producer.health(), spool.health()),
    spool: () => stateOf(spool.health(), producer.health()),
  };
}
