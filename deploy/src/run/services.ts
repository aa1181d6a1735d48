import { join } from 'node:path';
import type { PipelineConfig } from '@email-events/core/config';
import { PipelineError } from '@email-events/core/errors';
import { type HomePaths, REPOSITORY } from './home.ts';
import type { ServiceSpec } from './service-process.ts';

/** Every process of ours, in the order of the flow: they are stopped in it, so that none waits for one that is gone. */
export const SERVICE_NAMES = [
  'ingress',
  'normalize',
  'events',
  'sink-clickhouse',
  'sink-crm',
  'receiver',
] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Those of a pipeline with this configuration: without a CRM there is none to send to, nor one to stand in for. */
export function servicesOf({ sinks }: Pick<PipelineConfig, 'sinks'>): readonly ServiceName[] {
  const ofCrm: readonly ServiceName[] = ['sink-crm', 'receiver'];
  return sinks.crm ? SERVICE_NAMES : SERVICE_NAMES.filter((name) => !ofCrm.includes(name));
}

export const SERVICE_TITLES: { readonly [name in ServiceName]: string } = {
  ingress: 'takes the webhooks',
  normalize: 'reads what each ESP says',
  events: 'drops duplicates, keeps suppressions, routes by type',
  'sink-clickhouse': 'writes the analytics',
  'sink-crm': 'sends suppressions to the CRM',
  receiver: 'stands in for the CRM',
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

/** Entry files; the image's entry point has the same ones. */
export const SCRIPTS: { readonly [name in ServiceName]: string } = {
  ingress: 'ingress/src/main.ts',
  normalize: 'processors/src/normalize/main.ts',
  events: 'processors/src/events/main.ts',
  'sink-clickhouse': 'sinks/clickhouse/src/main.ts',
  'sink-crm': 'sinks/crm/src/main.ts',
  receiver: 'deploy/src/receiver/main.ts',
};

export const NODE_ARGS: { readonly [name in ServiceName]?: readonly string[] } = {
  // A larger young generation: with many requests at a time it took a quarter off the ingress's p99.
  ingress: ['--max-semi-space-size=64'],
};

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
