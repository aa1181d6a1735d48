import {
  describeCluster,
  measureDisk,
  processorGroup,
  pseudonymsOf,
  type RunningService,
  registryOf,
  requireTopics,
  type ServiceContext,
  serveConsumer,
  startTransactionalLoop,
  statefulReadinessOf,
  whenThere,
} from '@email-events/core';
import {
  Codec,
  type EmailEvent,
  type Encoder,
  EVENT_TYPES,
  type EventType,
  eventTopics,
  topicCatalogue,
  topics,
} from '@email-events/schemas';
import PQueue from 'p-queue';
import type { EventsConfig } from './config.ts';
import { type EventsContext, EventsStage } from './events-stage.ts';
import { measureEvents } from './measures.ts';
import { stateCodec } from './state/partition-store.ts';
import type { ChangelogCodec } from './state/restore.ts';
import { policiesOf } from './suppression/accounts.ts';

const DAY_MS = 86_400_000;
const RESTORES_AT_A_TIME = 2;
/** How often idle partitions forget ids that have expired. */
const EXPIRE_MS = 60_000;

const TOPICS = [
  topics.normalized,
  topics.seen,
  topics.recipientState,
  ...eventTopics,
  topics.suppressions,
  topics.operatorActions,
  topics.deadLetters,
];

/** `email.internal.normalized` → dedupe, suppress, route → `email.events.<type>` and `email.suppressions`. */
export async function startEvents(service: ServiceContext<EventsConfig>): Promise<RunningService> {
  const { config, log, metrics } = service;
  const groupId = processorGroup(config.kafka.groupPrefix, 'events');
  const context = await prepare(service, groupId);
  measureDisk(metrics, 'state', config.events.stateDir);
  const loop = await startTransactionalLoop({
    kafka: config.kafka,
    name: 'events',
    topic: topics.normalized,
    concurrency: config.events.concurrency,
    createStage: () => new EventsStage(context),
    log,
    metrics,
  });
  const expiry = setInterval(() => expireIdle(context), EXPIRE_MS).unref();
  return serveConsumer(loop, service, {
    adminPort: config.events.adminPort,
    readiness: statefulReadinessOf(loop),
    first: [{ name: 'expiry', deadlineMs: 100, run: () => clearInterval(expiry) }],
  });
}

/** An error here comes again with the next batch, and is dealt with there. */
function expireIdle({ openStages }: EventsContext): void {
  for (const stage of openStages) {
    try {
      stage.expire();
    } catch {}
  }
}

/** Asks Kafka and the registry for everything that stages need. */
async function prepare(
  { config, log, metrics, traces }: ServiceContext<EventsConfig>,
  groupId: string,
): Promise<EventsContext> {
  const { softBounces, stateDir } = config.events;
  const clusterId = await whenThere(
    async () => {
      await requireTopics(config.kafka, topicCatalogue(config.topics), TOPICS);
      return (await describeCluster(config.kafka, 'events', log)).clusterId;
    },
    { log, what: 'kafka' },
  );
  const codec = new Codec(registryOf(config));
  const restores = new PQueue({ concurrency: RESTORES_AT_A_TIME });
  const encoders = await whenThere(() => typedEncoders(codec), { log, what: 'registry' });
  return {
    stateDir: `${stateDir}/${groupId}`,
    identity: { clusterId, application: groupId },
    windowMs: config.topics.retention.seenDays * DAY_MS,
    softBounces: { threshold: softBounces.threshold, windowMs: softBounces.windowDays * DAY_MS },
    deadLetterPartitions: config.topics.deadLetterPartitions,
    decoder: codec.decoder('normalized'),
    encoders,
    policyOf: policiesOf(config.sources),
    erasure: { pseudonyms: pseudonymsOf(config), graceMs: config.erasure.graceDays * DAY_MS },
    suppressionEncoder: await codec.encoder(topics.suppressions, 'suppression'),
    actionEncoder: await codec.encoder(topics.operatorActions, 'operatorAction'),
    deadLetterEncoder: await codec.encoder(topics.deadLetters, 'deadLetter'),
    changelogs: await changelogCodec(codec),
    stateCodec: stateCodec(),
    clock: Date.now,
    restoreInTurn: (work) => restores.add(work),
    traces,
    ...measureEvents(metrics, log),
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
