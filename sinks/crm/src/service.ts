import {
  avroReader,
  type RunningService,
  registryOf,
  runSink,
  type ServiceContext,
  serveConsumer,
} from '@email-events/core';
import { Codec, type Suppression, topics } from '@email-events/schemas';
import { type CrmConfig, SERVICE } from './config.ts';
import { checkCrmSettings, crmOf, crmSettings } from './settings.ts';
import { createCrmSink } from './sink.ts';

/** Enough recipients to keep all calls busy; few enough that a batch is soon done. */
const BATCH_ROWS = 200;
const BATCH_BYTES = 1_048_576;
/** A suppression waits no longer for others. */
const FLUSH_MS = 100;
/** Keeps the CRM at the state of email.suppressions. Throws ConfigError before anything is started. */
export async function startCrmSink(context: ServiceContext<CrmConfig>): Promise<RunningService> {
  const { config, log, metrics } = context;
  checkCrmSettings(config);
  const settings = crmSettings(config);
  const { concurrency, dryRun } = settings;
  const codec = new Codec(registryOf(config));
  const adapter = crmOf(settings).connect(settings, Date.now);
  const sink = createCrmSink({ adapter, concurrency, dryRun, log, metrics });
  const runner = await runSink<Suppression>({
    kafka: config.kafka,
    deadLetterPartitions: config.topics.deadLetterPartitions,
    codec,
    name: SERVICE,
    topics: [topics.suppressions],
    replays: topics.replays,
    laneOf: (_topic, partition) => String(partition),
    reader: avroReader<Suppression>(codec, new Map([[topics.suppressions, 'suppression']])),
    sink,
    // The sink itself bounds calls; each lane may have a batch in it.
    concurrency: config.topics.partitions,
    batchRows: BATCH_ROWS,
    batchBytes: BATCH_BYTES,
    flushMs: FLUSH_MS,
    metrics,
    log,
  });
  return serveConsumer(runner, context, { adminPort: settings.adminPort, readiness: runner.readiness });
}
