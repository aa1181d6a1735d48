import {
  avroReader,
  ConfigError,
  type RunningService,
  runSink,
  runStopSteps,
  type ServiceContext,
  startAdminServer,
} from '@email-events/core';
import { Codec, type EmailEvent, EVENT_TYPES, eventTopics, topics } from '@email-events/schemas';
import { ABSENT, type NdjsonFilesConfig, SERVICE } from './config.ts';
import { createNdjsonFilesSink } from './sink.ts';

/** More than the steps of the runner take together: each has its deadline. */
const STOP_MS = 25_000;
const ADMIN_STOP_MS = 1_000;

/** Moves all events from the typed topics into the sink. */
export async function startNdjsonFilesSink({
  config,
  log,
  metrics,
}: ServiceContext<NdjsonFilesConfig>): Promise<RunningService> {
  const settings = config.sinks.ndjsonFiles;
  if (!settings) throw new ConfigError([{ path: 'sinks.ndjsonFiles', message: ABSENT }]);
  const { folder, adminPort, batchRows, batchBytes, flushMs, concurrency } = settings;
  const { url, username, password } = config.registry;
  const codec = new Codec({ url, username, password: password?.reveal() });
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
  const admin = await startAdminServer({
    ...{ host: config.adminHost, port: adminPort, metrics, readiness: runner.readiness },
  }).catch(async (error) => {
    await runner.stop();
    throw error;
  });
  let stopping: Promise<void> | undefined;
  return {
    ports: { admin: admin.port },
    done: runner.done,
    stop() {
      admin.drain();
      stopping ??= runStopSteps(
        [
          { name: 'sink runner', deadlineMs: STOP_MS, run: () => runner.stop() },
          { name: 'admin server', deadlineMs: ADMIN_STOP_MS, run: () => admin.close() },
        ],
        log,
      );
      return stopping;
    },
  };
}
