import type { CommonConfig } from '../config/index.ts';
import { PipelineError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createBrokers } from './client.ts';
import { isProtocolError, publishError } from './errors.ts';
import { type Outcome, produceTo } from './produce/produce.ts';
import type { Brokers } from './wire/brokers.ts';

export interface PublishRecord {
  readonly value: Buffer;
  readonly headers: { readonly [name: string]: Buffer };
  /** Where it belongs; any partition, if absent, and while nothing can be written to that one. */
  readonly partition?: number;
}

/** Where a record ended up. */
export interface Published {
  readonly partition: number;
  readonly offset: number;
}

export interface RecordBatch {
  readonly partition: number;
  readonly records: readonly PublishRecord[];
}

/** A broker, and the partitions that it leads now. */
export interface Route {
  readonly node: number;
  readonly partitions: readonly number[];
}

/** First offset of a batch that all in-sync replicas have, or why that is not known. */
export type BatchOutcome = number | PublishFailure;

export interface PublishFailure {
  readonly error: PipelineError;
  /** True: the broker has answered that it cannot take the batch. False: it has not answered. */
  readonly answered: boolean;
}

/** The brokers of one topic. */
export interface RecordTransport {
  /**
   * Asks who leads the topic's partitions. At least one route.
   * Throws PipelineError: KAFKA_UNREACHABLE or KAFKA_TOPIC_MISSING.
   */
  open(): Promise<readonly Route[]>;
  /** One produce request to one broker: an outcome for each batch, in their order. Never rejects. */
  send(node: number, batches: readonly RecordBatch[]): Promise<readonly BatchOutcome[]>;
  close(): void;
}

export interface GroupCommitOptions {
  readonly transport: RecordTransport;
  readonly log: Logger;
  /** Time from `publish` to the broker's acknowledgement. */
  readonly publishTimeoutMs: number;
  /** Bytes that wait or are under way; beyond it `publish` refuses. */
  readonly maxWaitingBytes: number;
  /** What the topic takes (max.message.bytes); 2 MiB if absent. */
  readonly maxRecordBytes?: number;
}

/** Set up to fail soon: what to do next is decided by the group commit. */
export function kafkaTransport(
  settings: CommonConfig['kafka'],
  service: string,
  topic: string,
  publishTimeoutMs: number,
  log: Logger,
): RecordTransport {
  const requestTimeoutMs = Math.min(settings.requestTimeoutMs, publishTimeoutMs);
  const connectionTimeoutMs = Math.min(settings.connectionTimeoutMs, 2_000);
  const brokers = createBrokers(settings, service, log, { connectionTimeoutMs, requestTimeoutMs });
  return {
    open: () => routesOf(brokers, topic),
    send: async (node, batches) => {
      const placed = batches.map(({ partition, records }) => ({
        topic,
        partition,
        messages: records.map(({ value, headers }) => ({ key: null, value, headers })),
      }));
      const outcomes = await produceTo(brokers, node, placed, { requestTimeoutMs });
      return outcomes.map((outcome) => coded(outcome, topic));
    },
    close: () => brokers.close(),
  };
}

async function routesOf(brokers: Brokers, topic: string): Promise<Route[]> {
  const routes = new Map<number, number[]>();
  try {
    await brokers.refresh([topic]);
    for (const partition of await brokers.partitionsOf(topic)) {
      const node = leaderOf(brokers, topic, partition);
      if (node === undefined) continue;
      const own = routes.get(node);
      if (own) own.push(partition);
      else routes.set(node, [partition]);
    }
  } catch (error) {
    throw publishError(error, topic);
  }
  if (routes.size === 0)
    throw new PipelineError('KAFKA_UNREACHABLE', 'retry', `no partition of ${topic} has a leader`);
  return [...routes].map(([node, partitions]) => ({ node, partitions }));
}

function leaderOf(brokers: Brokers, topic: string, partition: number): number | undefined {
  try {
    return brokers.leaderOf(topic, partition);
  } catch {
    return undefined;
  }
}

function coded(outcome: Outcome, topic: string): BatchOutcome {
  if ('baseOffset' in outcome) return outcome.baseOffset;
  return { error: publishError(outcome.error, topic), answered: isProtocolError(outcome.error) };
}
