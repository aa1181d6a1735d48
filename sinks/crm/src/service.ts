import {
  codeOf,
  combinedMetrics,
  type RunningService,
  registryOf,
  type ServiceContext,
  serveConsumer,
} from '@email-events/core';
import { Codec } from '@email-events/schemas';
import { pacesOf } from './accounts.ts';
import type { CrmConfig } from './config.ts';
import { CrmConsumer, type CrmConsumerOptions } from './consumer.ts';
import { EngagementConsumer, type EngagementConsumerOptions } from './engagement-consumer.ts';
import { checkCrmSettings, configuredCrms, crmSettings } from './settings.ts';

/** Parts that a test plays instead. */
export interface ConsumerParts extends Pick<CrmConsumerOptions, 'run' | 'again'> {
  readonly runEngagement?: EngagementConsumerOptions['run'];
}

/**
 * Keeps each CRM at the state of email.suppressions, one consumer for each: what stops one of them, be it the CRM, its settings or a right
 * that its group lacks, stops no other. Throws ConfigError before anything is started.
 */
export async function startCrmSink(
  context: ServiceContext<CrmConfig>,
  { runEngagement, ...parts }: ConsumerParts = {},
): Promise<RunningService> {
  const { config, log, metrics } = context;
  checkCrmSettings(config);
  const { adminPort } = crmSettings(config);
  const codec = new Codec(registryOf(config));
  const all = configuredCrms(config);
  const paces = pacesOf(all);
  const consumers = all.map(
    (crm) => new CrmConsumer({ crm, config, codec, pace: paces.get(crm.consumer), log, ...parts }),
  );
  const engagements = all.flatMap((crm, index) => {
    const suppressions = consumers[index];
    if (!crm.settings.engagement || !suppressions) return [];
    const own = { crm, suppressions, pace: paces.get(crm.consumer), run: runEngagement, again: parts.again };
    return [new EngagementConsumer({ ...own, config, codec, log })];
  });
  const { done, failed, stop } = endOfAll(consumers, engagements);
  const starts = await Promise.allSettled(consumers.map((consumer) => consumer.start(failed)));
  if (starts.every(({ status }) => status === 'rejected')) {
    await stop();
    throw starts.find((start) => start.status === 'rejected')?.reason;
  }
  // One that cannot start is tried again, and holds up nobody. Readiness tells.
  for (const engagement of engagements) engagement.start(codeOf).catch(() => {});
  const readiness = Object.assign(
    {},
    ...consumers.map((consumer) => consumer.readiness(consumers)),
    ...engagements.map((engagement) => engagement.degradation()),
  );
  const shown = combinedMetrics(
    metrics,
    [...consumers, ...engagements].map(({ registry }) => registry),
  );
  return serveConsumer({ done, stop }, context, { adminPort, readiness, metrics: shown });
}

/** The process ends by itself only when none of its consumers works: with the error of the last one. */
function endOfAll(consumers: readonly CrmConsumer[], engagements: readonly EngagementConsumer[]) {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  // Nobody may wait for it yet.
  done.catch(() => {});
  const failed = (error: unknown) => {
    if (consumers.every((consumer) => consumer.failure !== undefined)) reject(error);
    return codeOf(error);
  };
  const stop = async () => {
    await Promise.all([...consumers, ...engagements].map((consumer) => consumer.stop()));
    resolve();
  };
  return { done, failed, stop };
}
