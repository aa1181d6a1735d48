import {
  describeCluster,
  Gauge,
  type Registry,
  type RunningService,
  runStopSteps,
  type ServiceContext,
  startAdminServer,
  startTransactionalLoop,
} from '@email-events/core';
import {
  avroType,
  Codec,
  type EmailEvent,
  type Encoder,
  EVENT_TYPES,
  type EventType,
  topics,
} from '@email-events/schemas';
import { registryOf } from '../registry.ts';
import type { StateCodec, Totals } from '../state/partition-store.ts';
import type { ChangelogCodec } from '../state/restore.ts';
import { type EventsContext, EventsStage } from './events-stage.ts';

const DAY_MS = 86_400_000;

/** `email.internal.normalized` → dedupe, suppress, route → `email.events.<type>` and `email.suppressions`. */
export async function startEvents({ config, log, metrics }: ServiceContext): Promise<RunningService> {
  const codec = new Codec(registryOf(config));
  const { clusterId } = await describeCluster(config.kafka, 'events', log);
  const { softBounces, stateDir } = config.events;
  const groupId = `${config.kafka.groupPrefix}.events`;
  const context: EventsContext = {
    stateDir: `${stateDir}/${groupId}`,
    identity: { clusterId, application: groupId },
    windowMs: config.topics.retention.seenDays * DAY_MS,
    softBounces: { threshold: softBounces.threshold, windowMs: softBounces.windowDays * DAY_MS },
    deadLetterPartitions: config.topics.deadLetterPartitions,
    decoder: codec.decoder('normalized'),
    encoders: await typedEncoders(codec),
    suppressionEncoder: await codec.encoder(topics.suppressions, 'suppression'),
    deadLetterEncoder: await codec.encoder(topics.deadLetters, 'deadLetter'),
    changelogs: await changelogCodec(codec),
    stateCodec: recipientStateCodec(),
    clock: Date.now,
    onTotals: totalsGauge(metrics),
  };
  const loop = await startTransactionalLoop({
    kafka: config.kafka,
    name: 'events',
    topic: topics.normalized,
    concurrency: config.events.concurrency,
    createStage: () => new EventsStage(context),
    log,
    metrics,
  });
  const admin = await startAdminServer({
    host: config.adminHost,
    port: config.events.adminPort,
    metrics,
    readiness: { kafka: () => loop.readiness() },
  });
  return {
    ports: { admin: admin.port },
    done: loop.done,
    stop: () =>
      runStopSteps(
        [
          { name: 'readiness', deadlineMs: 100, run: () => admin.drain() },
          { name: 'consumer', deadlineMs: 20_000, run: () => loop.stop() },
          { name: 'admin', deadlineMs: 1_000, run: () => admin.close() },
        ],
        log,
      ),
  };
}

async function typedEncoders(codec: Codec): Promise<EventsContext['encoders']> {
  const entries = await Promise.all(
    EVENT_TYPES.map(
      async (type) => [type, await codec.encoder<EmailEvent>(topics.events(type), type)] as const,
    ),
  );
  return Object.fromEntries(entries) as { [T in EventType]: Encoder<EmailEvent> };
}

async function changelogCodec(codec: Codec): Promise<ChangelogCodec> {
  return {
    seen: { encoder: await codec.encoder(topics.seen, 'seen'), decoder: codec.decoder('seen') },
    recipientState: {
      encoder: await codec.encoder(topics.recipientState, 'recipientState'),
      decoder: codec.decoder('recipientState'),
    },
  };
}

/** The store belongs to one version of the schema, so its bytes need no schema id. */
function recipientStateCodec(): StateCodec {
  const type = avroType('recipientState');
  return { encode: (state) => type.toBuffer(state), decode: (bytes) => type.fromBuffer(bytes) };
}

/** Durable totals: they survive restarts with the state, so received = emitted + duplicate + dead_letter can be checked any time. */
function totalsGauge(metrics: Registry): EventsContext['onTotals'] {
  const gauge = new Gauge({
    name: 'email_events_events_total',
    help: 'Events by partition and result since the beginning of the partition.',
    labelNames: ['partition', 'result'],
    registers: [metrics],
  });
  return (partition: number, { received, emitted, duplicates, deadLettered }: Totals) => {
    gauge.set({ partition, result: 'received' }, received);
    gauge.set({ partition, result: 'emitted' }, emitted);
    gauge.set({ partition, result: 'duplicate' }, duplicates);
    gauge.set({ partition, result: 'dead_letter' }, deadLettered);
  };
}
