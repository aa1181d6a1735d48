import type { PipelineConfig } from '@email-events/core/config';

/** Every service, in the order of the flow: they are stopped in it, so that none waits for one that is gone. */
export const SERVICE_NAMES = ['ingress', 'normalize', 'events', 'sink-clickhouse', 'sink-crm'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Those of a deployment with this configuration: without a CRM there is none to send to. */
export function servicesOf({ sinks }: Pick<PipelineConfig, 'sinks'>): readonly ServiceName[] {
  return sinks.crm ? SERVICE_NAMES : SERVICE_NAMES.filter((name) => name !== 'sink-crm');
}

export const SERVICE_TITLES: { readonly [name in ServiceName]: string } = {
  ingress: 'takes the webhooks',
  normalize: 'reads what each ESP says',
  events: 'drops duplicates, keeps suppressions, routes by type',
  'sink-clickhouse': 'writes the analytics',
  'sink-crm': 'sends suppressions to the CRM',
};

/** Entry files, from the root of the checkout; the image's entry point has the same ones. */
export const SCRIPTS: { readonly [name in ServiceName]: string } = {
  ingress: 'ingress/src/main.ts',
  normalize: 'processors/src/normalize/main.ts',
  events: 'processors/src/events/main.ts',
  'sink-clickhouse': 'sinks/clickhouse/src/main.ts',
  'sink-crm': 'sinks/crm/src/main.ts',
};

export const NODE_ARGS: { readonly [name in ServiceName]?: readonly string[] } = {
  // A larger young generation: with many requests at a time it took a quarter off the ingress's p99.
  ingress: ['--max-semi-space-size=64'],
};
