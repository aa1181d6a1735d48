import type { CommonConfig } from '../../config/index.ts';
import { PipelineError } from '../../errors.ts';
import type { Logger } from '../../telemetry.ts';
import type { Brokers } from '../client/brokers.ts';
import { createBrokers } from '../client/client.ts';
import { type Outcome, produceTo } from '../client/produce.ts';
import { isProtocolError, publishError } from '../errors.ts';

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
  /** The topic's limit (max.message.bytes); 2 MiB if absent. */
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

const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 8_000;
const FIRST_PARTITION_REST_MS = 50;
const LONGEST_PARTITION_REST_MS = 1_000;
/** Leaders move back to their preferred brokers without any notice. */
const REFRESH_MS = 60_000;

interface Rest {
  readonly until: number;
  readonly ms: number;
}

/**
 * The brokers that records can go to. A broker that did not answer rests for a while, even if it is still said to lead: until its death
 * is noticed, or while it hangs, its partitions do without records, and the others take them. A partition whose broker said that it
 * cannot take a record rests by itself, for a shorter time.
 */
export class Routes {
  private readonly rests = new Map<string, Rest>();
  private usable: Route[] = [];
  private turn = 0;
  private setAt = 0;

  get size(): number {
    return this.usable.length;
  }

  /** Whether it is worth asking who leads: something has rested long enough, or the last answer is old. */
  isStale(now: number): boolean {
    if (now - this.setAt > REFRESH_MS) return true;
    const inUse = new Set(this.usable.flatMap(keysOf));
    return [...this.rests].some(([key, { until }]) => until <= now && !inUse.has(key));
  }

  /** Takes the cluster's answer. If all of it should rest, none does. */
  set(routes: readonly Route[], now: number): void {
    this.setAt = now;
    const rested = (key: string) => (this.rests.get(key)?.until ?? 0) <= now;
    const usable = routes
      .filter(({ node }) => rested(ofNode(node)))
      .map(({ node, partitions }) => ({
        node,
        partitions: partitions.filter((id) => rested(ofPartition(id))),
      }))
      .filter(({ partitions }) => partitions.length > 0);
    this.usable = usable.length > 0 ? usable : [...routes];
    const known = new Set(routes.flatMap(keysOf));
    // A broker that leads nothing any more needs no rest.
    for (const key of [...this.rests.keys()]) if (!known.has(key)) this.rests.delete(key);
  }

  /** The next one in turn of which nothing is under way. */
  next(isBusy: (node: number) => boolean): Route | undefined {
    for (let i = 0; i < this.usable.length; i++) {
      const at = (this.turn + i) % this.usable.length;
      const route = this.usable[at];
      if (!route || isBusy(route.node)) continue;
      this.turn = (at + 1) % this.usable.length;
      return route;
    }
    return undefined;
  }

  /** Whether some broker that is in use leads this partition. */
  has(partition: number): boolean {
    return this.usable.some(({ partitions }) => partitions.includes(partition));
  }

  worked(node: number, partitions: readonly number[]): void {
    if (this.rests.size === 0) return;
    this.rests.delete(ofNode(node));
    for (const id of partitions) this.rests.delete(ofPartition(id));
  }

  nodeFailed(node: number, now: number): void {
    this.usable = this.usable.filter((route) => route.node !== node);
    this.rest(ofNode(node), now, FIRST_REST_MS, LONGEST_REST_MS);
  }

  partitionFailed(partition: number, now: number): void {
    this.usable = this.usable
      .map(({ node, partitions }) => ({ node, partitions: partitions.filter((id) => id !== partition) }))
      .filter(({ partitions }) => partitions.length > 0);
    this.rest(ofPartition(partition), now, FIRST_PARTITION_REST_MS, LONGEST_PARTITION_REST_MS);
  }

  private rest(key: string, now: number, firstMs: number, longestMs: number): void {
    const before = this.rests.get(key);
    const ms = before ? Math.min(longestMs, before.ms * 2) : firstMs;
    this.rests.set(key, { until: now + ms, ms });
  }
}

const ofNode = (node: number) => `broker ${node}`;
const ofPartition = (partition: number) => `partition ${partition}`;
const keysOf = ({ node, partitions }: Route) => [ofNode(node), ...partitions.map(ofPartition)];
