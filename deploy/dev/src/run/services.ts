import {
  type PipelineConfig,
  type ServiceName as ServiceOfPipeline,
  serviceOf,
  services,
  servicesOf,
} from '@email-events/cli/services';
import { PipelineError } from '@email-events/core/errors';

const receiver = {
  name: 'receiver',
  title: 'stands in for the CRM',
  entry: 'deploy/dev/src/receiver/main.ts',
} as const;

/** Every process of the local pipeline, in the order of the flow: the services, and the receiver that stands in for a CRM. */
export const processes = [...services, receiver] as const;
export type ServiceName = ServiceOfPipeline | typeof receiver.name;

export const SERVICE_NAMES: readonly ServiceName[] = processes.map(({ name }) => name);

/** Returns how to start a process: its entry file, from the root of the checkout, and the arguments for Node. */
export function processOf(name: ServiceName): {
  readonly entry: string;
  readonly nodeArgs: readonly string[];
} {
  return name === 'receiver' ? { ...receiver, nodeArgs: [] } : { nodeArgs: [], ...serviceOf(name) };
}

/** Those of a pipeline with this configuration: without a CRM there is none to stand in for either. */
export function namesOf(config: Pick<PipelineConfig, 'sinks'>): readonly ServiceName[] {
  const names = servicesOf(config).map(({ name }) => name);
  return config.sinks.crm ? [...names, receiver.name] : names;
}

export const SERVICE_MODES = ['processes', 'containers'] as const;
export type ServiceMode = (typeof SERVICE_MODES)[number];

/**
 * Whether services run as processes or containers, by the variable SERVICES; processes without it.
 * Throws RUN_SERVICES_UNAVAILABLE.
 */
export function selectServices(env: { readonly [name: string]: string | undefined }): ServiceMode {
  const wanted = env.SERVICES || 'processes';
  const mode = SERVICE_MODES.find((known) => known === wanted);
  if (mode) return mode;
  throw unavailable(`SERVICES=${wanted}: must be ${SERVICE_MODES.join(' or ')}`);
}

export function unavailable(message: string): PipelineError {
  return new PipelineError('RUN_SERVICES_UNAVAILABLE', 'fatal', message);
}
