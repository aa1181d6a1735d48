import { connectEngine, type Stack, selectProvider } from '../stack/index.ts';
import type { PipelineOptions } from './pipeline.ts';
import { type FleetInput, processFleet, type ServiceFleet } from './service-fleet.ts';
import { type ServiceMode, unavailable } from './services.ts';

/** Makes the services of a stack that is there by now. */
export type MakeFleet = (input: FleetInput, stack: Stack) => ServiceFleet | Promise<ServiceFleet>;

/**
 * Finds out, and makes, whatever services need before there are components: the engine and the images.
 * Throws RUN_SERVICES_UNAVAILABLE, StackError.
 */
export async function chooseFleet(
  mode: ServiceMode,
  { provider, reporter, signal }: Pick<PipelineOptions, 'provider' | 'reporter' | 'signal'>,
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
