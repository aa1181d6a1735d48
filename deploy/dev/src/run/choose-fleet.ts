import { connectEngine, type Stack, type StackProvider, selectProvider } from '../stack/index.ts';
import type { Reporter } from './reporter.ts';
import { type FleetInput, processFleet, type ServiceFleet } from './service-fleet.ts';
import { type ServiceMode, unavailable } from './services.ts';

/** Makes the services of a stack that is there by now. */
export type MakeFleet = (input: FleetInput, stack: Stack) => ServiceFleet | Promise<ServiceFleet>;

/** Of the pipeline that is to be started. */
interface FleetNeeds {
  readonly provider?: StackProvider | undefined;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/**
 * Finds out, and makes, whatever services need before there are components: the engine and the images.
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
