import { serviceLag } from '@email-events/cli/groups';
import type { PipelineConfig } from '@email-events/cli/services';
import { applyTopics, PipelineError, registryOf, silentLog, whenThere } from '@email-events/core';
import { registerSchemas, topicCatalogue } from '@email-events/schemas';
import { migrate } from '@email-events/sink-clickhouse';
import { connectEngine, type Stack, type StackProvider, selectProvider } from '../stack/index.ts';
import type { Reporter } from './reporter.ts';
import { type FleetInput, processFleet, type ServiceFleet } from './service-fleet.ts';
import { type ServiceMode, unavailable } from './services.ts';

/** Makes the services of a stack that is there by now. */
export type MakeFleet = (input: FleetInput, stack: Stack) => ServiceFleet | Promise<ServiceFleet>;

/** The parts of the pipeline's options that the choice depends on. */
export interface FleetNeeds {
  /** Of the components; default: the one that STACK names. */
  readonly provider?: StackProvider | undefined;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/**
 * Finds or makes what services need before there are components: the engine and the images.
 * Throws RUN_SERVICES_UNAVAILABLE, StackError.
 */
export async function chooseFleet(
  mode: ServiceMode,
  { provider, reporter, signal }: FleetNeeds,
): Promise<MakeFleet> {
  if (mode === 'processes') return processFleet;
  const { env } = process;
  const needs = 'services in containers need components in containers: STACK=containers';
  if (!provider && selectProvider(env) !== 'containers') throw unavailable(needs);
  // Only here: who runs processes need not wait for it.
  const [engine, { provideServicesImages }, { containerFleet }] = await Promise.all([
    connectEngine(),
    import('../stack/containers/images/services.ts'),
    import('./container-fleet.ts'),
  ]);
  const images = await provideServicesImages({ engine, env, onProgress: reporter.stack, signal });
  return (input, { inside }) => {
    if (!inside) throw unavailable(needs);
    return containerFleet({ ...input, engine, images, inside, env });
  };
}

/** Does at once what `topics apply`, `schemas register` and `clickhouse migrate` do. Changes nothing the second time. */
export async function prepareComponents(config: PipelineConfig, reporter: Reporter): Promise<void> {
  const { kafka, topics, sinks } = config;
  // All of them to their end, so that none is still at work when a failed start stops the components.
  const steps = await Promise.allSettled([
    reporter.step('topics', 'start', async () => {
      const { actions, problems } = await applyTopics(kafka, topicCatalogue(topics));
      // A new broker makes its coordinators when the first group is asked for; services had better not be that first.
      if (problems === 0) return void (await serviceLag(config));
      const all = actions.flatMap((action) =>
        action.kind === 'problem' ? [`${action.topic} ${action.message}`] : [],
      );
      // The pipeline is stopped again, so no other command could ask this cluster.
      const remedy =
        'configure `topics` as the cluster has them; or begin with other data, of this machine by EMAIL_EVENTS_HOME=FOLDER';
      throw new PipelineError('KAFKA_TOPIC_CONFLICT', 'fatal', all.join('; '), { remedy });
    }),
    // On a machine that is busy with the start of everything, the registry may take longer for an answer than a request waits.
    reporter.step('schemas', 'start', () =>
      whenThere(() => registerSchemas(registryOf(config)), { log: silentLog, what: 'registry' }),
    ),
    reporter.step('tables', 'start', () => migrate(sinks.clickhouse)),
  ]);
  const failed = steps.find((step) => step.status === 'rejected');
  if (failed) throw failed.reason;
}
