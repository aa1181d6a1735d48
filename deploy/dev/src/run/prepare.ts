import { serviceLag } from '@email-events/cli/groups';
import type { PipelineConfig } from '@email-events/cli/services';
import { applyTopics, PipelineError } from '@email-events/core';
import { registerSchemas, topicCatalogue } from '@email-events/schemas';
import { migrate } from '@email-events/sink-clickhouse';
import type { Reporter } from './reporter.ts';

/** What `topics apply`, `schemas register` and `clickhouse migrate` do, side by side. Changes nothing the second time. */
export async function prepareComponents(config: PipelineConfig, reporter: Reporter): Promise<void> {
  const { registry, kafka, topics, sinks } = config;
  const credentials = {
    url: registry.url,
    username: registry.username,
    password: registry.password?.reveal(),
  };
  // All of them to their end, so that none is still at work when a failed start stops the components.
  const steps = await Promise.allSettled([
    reporter.step('topics', 'start', async () => {
      const { actions, problems } = await applyTopics(kafka, topicCatalogue(topics));
      // A new broker makes its coordinators when the first group is asked for; services had better not be that first.
      if (problems === 0) return void (await serviceLag(config));
      const all = actions.flatMap((action) =>
        action.kind === 'problem' ? [`${action.topic} ${action.message}`] : [],
      );
      // What has only begun is stopped again, so no further command could ask this cluster.
      const remedy =
        'configure `topics` as the cluster has them; or begin with other data, of this machine by EMAIL_EVENTS_HOME=FOLDER';
      throw new PipelineError('KAFKA_TOPIC_CONFLICT', 'fatal', all.join('; '), { remedy });
    }),
    reporter.step('schemas', 'start', () => registerSchemas(credentials)),
    reporter.step('tables', 'start', () => migrate(sinks.clickhouse)),
  ]);
  const failed = steps.find((step) => step.status === 'rejected');
  if (failed) throw failed.reason;
}
