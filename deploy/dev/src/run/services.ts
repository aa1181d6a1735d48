import { join } from 'node:path';
import { type HomePaths, REPOSITORY } from '@email-events/cli/home';
import * as services from '@email-events/cli/services';
import type { PipelineConfig } from '@email-events/core/config';
import { PipelineError } from '@email-events/core/errors';
import type { ServiceSpec } from './service-process.ts';

/** Every process of the local pipeline, in the order of the flow: the services, and the receiver that stands in for a CRM. */
export const SERVICE_NAMES = [...services.SERVICE_NAMES, 'receiver'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Those of a pipeline with this configuration: without a CRM there is none to stand in for either. */
export function servicesOf(config: Pick<PipelineConfig, 'sinks'>): readonly ServiceName[] {
  return config.sinks.crm ? SERVICE_NAMES : services.servicesOf(config);
}

export const SERVICE_TITLES: { readonly [name in ServiceName]: string } = {
  ...services.SERVICE_TITLES,
  receiver: 'stands in for the CRM',
};

/** Entry files, from the root of the checkout. */
export const SCRIPTS: { readonly [name in ServiceName]: string } = {
  ...services.SCRIPTS,
  receiver: 'deploy/dev/src/receiver/main.ts',
};

export const SERVICE_MODES = ['processes', 'containers'] as const;
export type ServiceMode = (typeof SERVICE_MODES)[number];

/**
 * What services run in, by the variable SERVICES; processes without it.
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

export const NODE_ARGS: { readonly [name in ServiceName]?: readonly string[] } = services.NODE_ARGS;

export interface ServiceSettings {
  readonly paths: HomePaths;
  readonly receiverPort: number;
  readonly crmSecret: string;
}

/** A service as a process of this machine. */
export function serviceSpec(name: ServiceName, settings: ServiceSettings): ServiceSpec {
  const { paths } = settings;
  const base = {
    name,
    script: join(REPOSITORY, SCRIPTS[name]),
    nodeArgs: NODE_ARGS[name] ?? [],
    logFile: join(paths.logs, `${name}.log`),
  };
  if (name !== 'receiver') return { ...base, args: ['--config', paths.configFile] };
  return {
    ...base,
    args: ['--port', String(settings.receiverPort), '--data-dir', paths.receiver],
    // Not an argument: process lists show those.
    env: { EMAIL_EVENTS_RECEIVER_SECRETS: settings.crmSecret },
  };
}
