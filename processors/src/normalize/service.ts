import {
  firstRecords,
  type RawRequest,
  type RunningService,
  readinessOf,
  registryOf,
  requireTopics,
  type ServiceContext,
  serveConsumer,
  startTransactionalLoop,
  whenThere,
} from '@email-events/core';
import { Codec, type NormalizedBatch, type TokenBatch, topicCatalogue, topics } from '@email-events/schemas';
import { deadLetterReport } from '../dead-letters.ts';
import type { NormalizeConfig } from './config.ts';
import { FormerIds } from './former-ids.ts';
import { measureNormalize } from './measures.ts';
import { NormalizeStage } from './normalize-stage.ts';
import { normalizeSettings } from './settings.ts';

const TOPICS = [topics.raw, topics.normalized, topics.tokens, topics.deadLetters];
const DAY_MS = 86_400_000;
/** A token's time is believed for 25 hours; a request may be read much later than it came. */
const TOKEN_WINDOW_MS = 2 * DAY_MS;
/** Some 100 MB. */
const MAX_TOKENS = 1_000_000;

/** `email.raw` → `email.internal.normalized`. */
export async function startNormalize(service: ServiceContext<NormalizeConfig>): Promise<RunningService> {
  const { config, log, metrics, traces } = service;
  await whenThere(() => requireTopics(config.kafka, topicCatalogue(config.topics), TOPICS), {
    log,
    what: 'kafka',
  });
  const codec = new Codec(registryOf(config));
  const encoder = await whenThere(() => codec.encoder<NormalizedBatch>(topics.normalized, 'normalized'), {
    log,
    what: 'registry',
  });
  const formerIds = new FormerIds({
    firstRecords: () => firstRecords(config.kafka, topics.raw),
    windowMs: config.topics.retention.seenDays * DAY_MS,
    clock: Date.now,
    log,
  });
  const context = {
    partitions: config.topics.partitions,
    deadLetterPartitions: config.topics.deadLetterPartitions,
    encoder,
    deadLetterEncoder: await codec.encoder(topics.deadLetters, 'deadLetter'),
    ...measureNormalize(metrics),
    deadLetters: deadLetterReport(metrics, log),
    clock: Date.now,
    ...normalizeSettings(config),
    mayHaveFormerIds: (request: RawRequest) => formerIds.mayHave(request),
    tokens: {
      codec: {
        encoder: await codec.encoder<TokenBatch>(topics.tokens, 'tokens'),
        decoder: codec.decoder<TokenBatch>('tokens'),
      },
      windowMs: TOKEN_WINDOW_MS,
      maxEntries: MAX_TOKENS / config.topics.rawPartitions,
      onOverflow: (forgotten: number) => log.warn({ forgotten }, 'tokens were forgotten before their time'),
    },
    maxTransactionBytes: config.normalize.maxTransactionBytes,
    traces,
  } as const;
  const loop = await startTransactionalLoop({
    kafka: config.kafka,
    name: 'normalize',
    topic: topics.raw,
    concurrency: config.normalize.concurrency,
    createStage: () => new NormalizeStage(context),
    log,
    metrics,
  });
  const looking = formerIds.start();
  return serveConsumer(loop, service, {
    adminPort: config.normalize.adminPort,
    readiness: readinessOf(loop),
    first: [{ name: 'former ids', deadlineMs: 100, run: () => looking.stop() }],
  });
}
