import {
  codeOf,
  type DependencyState,
  GroupCommitProducer,
  kafkaTransport,
  type Logger,
  PipelineError,
  type PublishRecord,
  type ServiceContext,
  type StopStep,
} from '@email-events/core';
import { largestRawRecord, topics } from '@email-events/schemas';
import type { IngressConfig } from './config.ts';
import type { Placement } from './placement.ts';
import { Drain } from './spool/drain.ts';
import { Spool } from './spool/spool.ts';
import { SpoolMetrics } from './spool/spool-metrics.ts';
import { type SpoolReport, spoolReport } from './status.ts';

/** As long as it may take until the metrics are asked for: a minute between two scrapes is the most that the rules bear. */
export const TELL_MS = 60_000;

/** Where a request is durable now. */
export type Keeper = 'kafka' | 'spool';

export interface Publisher {
  /** Resolves when the request is durable. Rejects with PipelineError or Refused, whose code says how to answer. */
  publish(record: PublishRecord): Promise<Keeper>;
}

/** Without a spool: Kafka has it, or it is not kept. */
export class KafkaPublisher implements Publisher {
  readonly #producer: Pick<GroupCommitProducer, 'publish'>;

  constructor(producer: Pick<GroupCommitProducer, 'publish'>) {
    this.#producer = producer;
  }

  async publish(record: PublishRecord): Promise<Keeper> {
    await this.#producer.publish(record);
    return 'kafka';
  }
}

/** Makes requests durable: in Kafka, or in the spool if there is one. */
export interface Publishing {
  readonly publisher: Publisher;
  readonly readiness: { readonly [dependency: string]: () => DependencyState };
  kafkaUp(): boolean;
  /** How much waits in the spool of this process; null: it is switched off. */
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
      // Requests that Kafka does not acknowledge by then stay in the spool.
      {
        name: 'spool drain',
        deadlineMs: settings.drainOnStopMs + 2_000,
        run: () => drain.stop(settings.drainOnStopMs),
      },
      {
        name: 'spool told',
        deadlineMs: TELL_MS + 1_000,
        run: () => settings.drainOnStopMs > 0 && spool.status.records === 0 && metrics.tellNoneLeft(TELL_MS),
      },
      stopProducer,
      { name: 'spool left', deadlineMs: 100, run: () => sayWhatIsLeft(spool, log) },
      { name: 'spool', deadlineMs: 5_000, run: () => spool.close() },
    ],
  };
}

/** Nobody has these requests but this disk. */
function sayWhatIsLeft(spool: Pick<Spool, 'status'>, log: Logger): void {
  const { records, bytes, oldestAt } = spoolReport(spool.status);
  if (records === 0) return;
  const left = { code: 'INGRESS_SPOOL_LEFT', records, bytes, oldestAt };
  log.warn(left, 'ends with requests in the spool: keep the disk, the next ingress on it sends them');
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

export interface SpooledPublisherOptions {
  readonly producer: Pick<GroupCommitProducer, 'publish' | 'health' | 'tooLarge'>;
  readonly spool: Pick<Spool, 'append' | 'health'>;
  /** Time without an acknowledgement after which a request goes to the spool as well. */
  readonly afterMs: number;
  readonly counts: { spooled(): void; refused(code: string): void };
}

/**
 * Kafka while it acknowledges, the spool while it does not. A request goes to the spool at once when Kafka is known to
 * be away or silent, and after `afterMs` when that is not known yet; then it may end up in Kafka twice, which readers
 * drop. With the spool out of order too, all is as it would be without one.
 */
export class SpooledPublisher implements Publisher {
  readonly #options: SpooledPublisherOptions;
  /** Requests that Kafka has had for longer than `afterMs`. While there are any, it gets no more. */
  #late = 0;

  constructor(options: SpooledPublisherOptions) {
    this.#options = options;
  }

  publish(record: PublishRecord): Promise<Keeper> {
    const { producer, spool } = this.#options;
    const tooLarge = producer.tooLarge(record);
    if (tooLarge) return Promise.reject(tooLarge);
    const away = producer.health() !== undefined || this.#late > 0;
    if (away && spool.health() === undefined) return this.#spool(record);
    return this.#publish(record);
  }

  async #spool(record: PublishRecord): Promise<Keeper> {
    const { spool, counts } = this.#options;
    try {
      await spool.append(record);
    } catch (error) {
      counts.refused(codeOf(error));
      throw error;
    }
    counts.spooled();
    return 'spool';
  }

  #publish(record: PublishRecord): Promise<Keeper> {
    const { producer, afterMs } = this.#options;
    return new Promise((resolve, reject) => {
      let attempt: Promise<void> | undefined;
      const spool = () => this.#spool(record).then(resolve);
      const timer = setTimeout(() => {
        this.#late++;
        attempt = spool();
        // If it fails, Kafka may still answer.
        attempt.catch(() => {});
      }, afterMs);
      const ended = () => {
        clearTimeout(timer);
        if (attempt) this.#late--;
      };
      producer.publish(record).then(
        () => {
          ended();
          resolve('kafka');
        },
        (error: unknown) => {
          ended();
          if (error instanceof PipelineError && error.disposition === 'reject') reject(error);
          else (attempt?.catch(spool) ?? spool()).catch(reject);
        },
      );
    });
  }
}
