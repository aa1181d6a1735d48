import {
  avroReader,
  codeOf,
  combinedMetrics,
  type DependencyState,
  Registry,
  type RunningService,
  type RunningSink,
  registryOf,
  requireTopics,
  runSink,
  type ServiceContext,
  serveConsumer,
  whenThere,
} from '@email-events/core';
import {
  type Alert,
  Codec,
  type EmailEvent,
  EVENT_TYPES,
  eventTopics,
  topicCatalogue,
  topics,
} from '@email-events/schemas';
import { AlertsSink, judgeRegularly } from './alerts-sink.ts';
import { type AlertsConfig, HTTP_CONSUMER, SERVICE } from './config.ts';
import { alertsHttpSink, alertsSettings, checkAlerts } from './http-sink.ts';
import { measureAlerts } from './measures.ts';
import { alertCodecs, kafkaAlertLog } from './state.ts';

const BATCH_ROWS = 5_000;
const BATCH_BYTES = 4 * 1_048_576;
/** A window is of minutes: what comes together is written together. */
const FLUSH_MS = 2_000;
/** What was committed so long ago must have been read before anything is judged: half of a burst is no rate. */
const CURRENT_MS = 10_000;
/** Alerts wait for no others. */
const TELL_MS = 100;

/** Typed events → windows → `email.alerts`, and from there to a webhook. Throws ConfigError. */
export async function startAlerts(service: ServiceContext<AlertsConfig>): Promise<RunningService> {
  const { config, metrics } = service;
  checkAlerts(config);
  const { adminPort, evaluateMs } = alertsSettings(config);
  const codec = new Codec(registryOf(config));
  const stopped = new AbortController();
  const counting = await startCounting(service, codec);
  const telling = new Registry();
  telling.setDefaultLabels({ service: SERVICE, consumer: HTTP_CONSUMER });
  const http = await startTelling(service, codec, telling).catch(async (error) => {
    await counting.running.stop();
    throw error;
  });
  const judging = judgeRegularly(counting.sink, evaluateMs, stopped.signal);
  const done = Promise.race([counting.running.done, ...(http ? [http.done] : [])]);
  const stop = async () => {
    stopped.abort();
    await judging;
    await Promise.all([counting.running.stop(), http?.stop()]);
  };
  return serveConsumer({ done, stop }, service, {
    adminPort,
    readiness: readinessOf(counting.running, http),
    metrics: combinedMetrics(metrics, http ? [telling] : []),
  });
}

async function startCounting({ config, log, metrics }: ServiceContext<AlertsConfig>, codec: Codec) {
  const { kafka } = config;
  const required = [...eventTopics, topics.alerts, topics.mailWindows];
  await whenThere(() => requireTopics(kafka, topicCatalogue(config.topics), required), {
    log,
    what: 'kafka',
  });
  const codecs = await whenThere(() => alertCodecs(codec), { log, what: 'registry' });
  const measures = measureAlerts(metrics);
  let running: RunningSink | undefined;
  const sink = new AlertsSink({
    ...{ settings: alertsSettings(config), codecs, log: kafkaAlertLog(kafka), logger: log, measures },
    now: Date.now,
    isCurrent: () => running?.isCurrent(CURRENT_MS) ?? false,
  });
  const schemaOf = new Map(EVENT_TYPES.map((type) => [topics.events(type), type] as const));
  running = await runSink<EmailEvent>({
    ...{ kafka, codec, name: SERVICE, topics: eventTopics, replays: topics.replays, sink, metrics, log },
    deadLetterPartitions: config.topics.deadLetterPartitions,
    reader: avroReader<EmailEvent>(codec, schemaOf),
    // One instance has all of the mail: whether it is in order is not to be seen of a part.
    laneOf: () => 'mail',
    concurrency: 1,
    ...{ batchRows: BATCH_ROWS, batchBytes: BATCH_BYTES, flushMs: FLUSH_MS },
    onShare: (share) => void sink.owns(share),
  });
  return { sink, running };
}

async function startTelling(
  { config, log }: ServiceContext<AlertsConfig>,
  codec: Codec,
  metrics: Registry,
): Promise<RunningSink | undefined> {
  const { http } = alertsSettings(config);
  if (!http) return undefined;
  return runSink<Alert>({
    ...{
      kafka: config.kafka,
      codec,
      name: HTTP_CONSUMER,
      topics: [topics.alerts],
      replays: topics.replays,
      log,
    },
    deadLetterPartitions: config.topics.deadLetterPartitions,
    reader: avroReader<Alert>(codec, new Map([[topics.alerts, 'alert' as const]])),
    laneOf: () => 'alerts',
    sink: alertsHttpSink(http, Date.now),
    concurrency: 1,
    ...{ batchRows: 100, batchBytes: BATCH_BYTES, flushMs: TELL_MS, metrics },
  });
}

/** A receiver that is down holds up what is told, and not what is counted. */
function readinessOf({ readiness }: RunningSink, http: RunningSink | undefined) {
  const degraded = (code: string | undefined): DependencyState => code && { degraded: code };
  return {
    ...readiness,
    sink: async () => degraded(await readiness.sink()),
    ...(http && {
      http: async () =>
        degraded(
          http.readiness.kafka() ?? (await http.readiness.sink().catch(codeOf)) ?? http.readiness.lanes(),
        ),
    }),
  };
}
