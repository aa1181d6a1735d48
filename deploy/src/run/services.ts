import { join } from 'node:path';
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

export const SERVICE_TITLES: { readonly [name in ServiceName]: string } = {
  ingress: 'takes the webhooks',
  normalize: 'reads what each ESP says',
  events: 'drops duplicates, keeps suppressions, routes by type',
  'sink-clickhouse': 'writes the analytics',
  'sink-crm': 'sends suppressions to the CRM',
  receiver: 'stands in for the CRM',
};

const SCRIPTS: { readonly [name in ServiceName]: string } = {
  ingress: 'ingress/src/main.ts',
  normalize: 'processors/src/normalize/main.ts',
  events: 'processors/src/events/main.ts',
  'sink-clickhouse': 'sinks/clickhouse/src/main.ts',
  'sink-crm': 'sinks/crm/src/main.ts',
  receiver: 'deploy/src/receiver/main.ts',
};

export interface ServiceSettings {
  readonly paths: HomePaths;
  readonly receiverPort: number;
  readonly crmSecret: string;
}

export function serviceSpec(name: ServiceName, settings: ServiceSettings): ServiceSpec {
  const { paths } = settings;
  const base = {
    name,
    script: join(REPOSITORY, SCRIPTS[name]),
    logFile: join(paths.logs, `${name}.log`),
  };
  if (name !== 'receiver') {
    // A larger young generation: with many requests at a time it took a quarter off the ingress's p99.
    const nodeArgs = name === 'ingress' ? ['--max-semi-space-size=64'] : [];
    return { ...base, nodeArgs, args: ['--config', paths.configFile] };
  }
  return {
    ...base,
    args: ['--port', String(settings.receiverPort), '--data-dir', paths.receiver],
    // Not an argument: process lists show those.
    env: { EMAIL_EVENTS_RECEIVER_SECRETS: settings.crmSecret },
  };
}
