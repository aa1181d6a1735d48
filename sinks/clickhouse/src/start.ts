import {
  avroReader,
  type RunningService,
  registryOf,
  runSink,
  type ServiceContext,
  serveConsumer,
} from '@email-events/core';
import { Codec, EVENT_TYPES, eventTypeOf, type SchemaKey, topics } from '@email-events/schemas';
import { type ClickHouseConfig, INSERTS_AHEAD_MS, SERVICE } from './config.ts';
import { connect } from './connection.ts';
import { hidingsOf } from './private/settings.ts';
import type { ClickHouseValue } from './rows.ts';
import { createClickHouseSink } from './sink.ts';

const SCHEMAS: ReadonlyMap<string, SchemaKey> = new Map<string, SchemaKey>([
  ...EVENT_TYPES.map((type) => [topics.events(type), type] as const),
  [topics.suppressions, 'suppression'],
  [topics.deadLetters, 'deadLetter'],
  [topics.eventMarks, 'eventMark'],
]);

/**
 * Partition p of all event topics is one lane, so one insert; each other topic has its lanes. A record that is replayed may
 * be a recipient's state, so it takes the lane of these, which keeps their order.
 */
export function laneOf(topic: string, partition: number): string {
  if (topic === topics.replays) return `${topics.suppressions}-${partition}`;
  return `${eventTypeOf(topic) ? 'events' : topic}-${partition}`;
}

/** Moves events, suppressions, marks and dead letters into ClickHouse. The tables must be there: `clickhouse migrate`. */
export async function startClickHouseSink(
  context: ServiceContext<ClickHouseConfig>,
): Promise<RunningService> {
  const { config, log, metrics, traces } = context;
  const settings = config.sinks.clickhouse;
  const codec = new Codec(registryOf(config));
  const running = await runSink<ClickHouseValue>({
    kafka: config.kafka,
    deadLetterPartitions: config.topics.deadLetterPartitions,
    codec,
    name: SERVICE,
    topics: [...SCHEMAS.keys()],
    replays: topics.replays,
    laneOf,
    reader: avroReader(codec, SCHEMAS),
    sink: createClickHouseSink(connect(settings), log, hidingsOf(config)),
    concurrency: settings.concurrency,
    batchRows: settings.batchRows,
    batchBytes: settings.batchBytes,
    flushMs: settings.flushMs,
    piecesPerSecond: settings.insertsPerSecond,
    piecesAheadMs: INSERTS_AHEAD_MS,
    metrics,
    traces,
    log,
  });
  const { kafka, sink, registry, lanes } = running.readiness;
  return serveConsumer(running, context, {
    adminPort: settings.adminPort,
    readiness: { kafka, clickhouse: sink, registry, lanes },
  });
}
