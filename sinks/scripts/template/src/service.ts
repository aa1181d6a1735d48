import {
  avroReader,
  ConfigError,
  type RunningService,
  registryOf,
  runSink,
  type ServiceContext,
  serveConsumer,
} from '@email-events/core';
import { Codec, type EmailEvent, EVENT_TYPES, eventTopics, topics } from '@email-events/schemas';
import { ABSENT, type NdjsonFilesConfig, SERVICE } from './config.ts';
import { createNdjsonFilesSink } from './sink.ts';

/** Moves all events from the typed topics into the sink. */
export async function startNdjsonFilesSink(
  context: ServiceContext<NdjsonFilesConfig>,
): Promise<RunningService> {
  const { config, log, metrics } = context;
  const settings = config.sinks.ndjsonFiles;
  if (!settings) throw new ConfigError([{ path: 'sinks.ndjsonFiles', message: ABSENT }]);
  const { folder, adminPort, batchRows, batchBytes, flushMs, concurrency } = settings;
  const codec = new Codec(registryOf(config));
  const schemas = new Map(EVENT_TYPES.map((type) => [topics.events(type), type] as const));
  const runner = await runSink<EmailEvent>({
    kafka: config.kafka,
    deadLetterPartitions: config.topics.deadLetterPartitions,
    codec,
    name: SERVICE,
    topics: eventTopics,
    replays: topics.replays,
    // A recipient is on the same partition of every topic, so its events of all types are written in one order.
    laneOf: (_topic, partition) => `events-${partition}`,
    reader: avroReader(codec, schemas),
    sink: createNdjsonFilesSink(folder, log),
    ...{ batchRows, batchBytes, flushMs, concurrency, metrics, log },
  });
  return serveConsumer(runner, context, { adminPort, readiness: runner.readiness });
}
