import { CORE_CODES } from '@email-events/core/codes';
import { type ComposedConfig, composeConfig, defaultAt } from '@email-events/core/config';
import type { CodeTable } from '@email-events/core/errors';
import { consumerGroupsOf, isConfigured, type ServiceDescriptor } from '@email-events/core/service';
import { ingressService } from '@email-events/ingress/service';
import { alertsService } from '@email-events/processors/alerts';
import { eventsService } from '@email-events/processors/events';
import { normalizeService } from '@email-events/processors/normalize';
import { clickhouseSink } from '@email-events/sink-clickhouse/service';
import { crmSink } from '@email-events/sink-crm/service';
import { lookupService } from '@email-events/sink-lookup/service';
import { CLI_CODES } from './codes.ts';

/**
 * Every service, in the order of the flow: they are stopped in it, so that none waits for one that is gone. The only list of
 * them: configuration, commands, image, local pipeline and documents are made of it.
 */
export const services = [
  ingressService,
  normalizeService,
  eventsService,
  clickhouseSink,
  crmSink,
  lookupService,
  alertsService,
] as const;

export type Service = (typeof services)[number];
export type ServiceName = Service['name'];

/** The configuration of a whole pipeline. A service itself is given its own section and the common ones. */
export type PipelineConfig = ComposedConfig<typeof services>;
export const pipelineConfig = composeConfig(services);

export const serviceOf = (name: ServiceName): Service =>
  services.find((service) => service.name === name) as Service;

/** A list like that of the services; the functions below take another for tests of what holds for any. */
export type Services = readonly ServiceDescriptor[];

/** Those of a deployment with this configuration: without a CRM there is none to send to. */
export function servicesOf(config: object): readonly Service[];
export function servicesOf(config: object, all: Services): Services;
export function servicesOf(config: object, all: Services = services): Services {
  return all.filter((service) => isConfigured(service, config));
}

export interface ConsumerGroup {
  /** Name of the service. */
  readonly service: string;
  /** The consumer in it: the service, or one of several such as that of a further CRM. */
  readonly consumer: string;
  readonly group: string;
  readonly topics: readonly string[];
}

/** Consumer groups and input of each service that has any. */
export function consumerGroups(
  config: Pick<PipelineConfig, 'kafka'>,
  all: Services = services,
): readonly ConsumerGroup[] {
  return all.flatMap((service) =>
    consumerGroupsOf(service, config.kafka.groupPrefix, config).map((of) => {
      return { service: service.name, ...of };
    }),
  );
}

/** Services that write typed topics and states, as opposed to those that carry these elsewhere. */
export const processors: Services = (services as Services).filter(
  ({ consumes }) => consumes?.as === 'processor',
);

/** Their names, for a query of dead letters by the stage that gave up. */
export const processorsInSql = processors.map(({ name }) => `'${name}'`).join(', ');

/** Every error code that services and the command line give, by its owner. */
export const codeTablesOf = (all: Services): { readonly [owner: string]: CodeTable } => ({
  'every service': CORE_CODES,
  ...Object.fromEntries(all.map(({ name, codes }) => [name, codes])),
  'command line': CLI_CODES,
});

export const codeTables = codeTablesOf(services);

/**
 * The entry point and the health check of the image know the services from this text, since they must start too fast to import the
 * descriptors. Each line has a service's name, entry file, key of the admin port, default of that port, and arguments for Node.
 */
export function imageRoles(all: Services = services): string {
  const { json } = composeConfig(all).schema;
  const lines = all.map(({ name, entry, section, nodeArgs = [] }) => {
    const port = `${section}.adminPort`;
    return [name, entry, port, defaultAt(json, port), ...nodeArgs].join(' ');
  });
  return `${lines.join('\n')}\n`;
}
