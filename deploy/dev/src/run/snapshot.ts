import type { ComponentStatus, PipelineUrls, ServiceStatus } from '@email-events/cli/state-file';
import { isBroker, nodeIdOf, type Stack } from '../stack/index.ts';
import type { ServiceFleet } from './service-fleet.ts';
import type { ServiceName } from './services.ts';
import type { Service } from './supervisor.ts';

/** The services, as `status` in another terminal shows them. */
export function serviceStatuses(
  services: readonly (readonly [ServiceName, Service])[],
  admin: { readonly [name in ServiceName]?: string },
): ServiceStatus[] {
  return services.map(([name, service]) => ({
    name,
    state: service.state,
    pid: service.pid ?? null,
    restarts: service.restarts,
    adminUrl: admin[name] ?? null,
    logFile: service.logFile,
  }));
}

export function componentStatuses(stack: Stack | undefined): ComponentStatus[] {
  if (!stack) return [];
  return stack.components.map(({ name, state, pid, logFile }) => ({
    name,
    state,
    pid: pid ?? null,
    address: isBroker(name) ? (stack.kafka.brokers[nodeIdOf(name) - 1] ?? '') : stack[name].url,
    logFile,
  }));
}

/** Everything as it is reached from here. */
export function pipelineUrls(
  { config, host, certificate }: ServiceFleet,
  stack: Stack,
  ports: { readonly ingress: number; readonly receiver: number },
): PipelineUrls {
  const { lookup } = config.sinks;
  const ingress = `${config.ingress.tls ? 'https' : 'http'}://${host}:${ports.ingress}`;
  const webhooks = Object.keys(config.sources).map((name) => [
    name,
    `${ingress}/webhooks/email-events/${name}`,
  ]);
  return {
    ingress,
    webhooks: Object.fromEntries(webhooks),
    kafka: stack.kafka.brokers.join(','),
    registry: stack.registry.url,
    clickhouse: stack.clickhouse.url,
    receiver: config.sinks.crm ? `${certificate ? 'https' : 'http'}://${host}:${ports.receiver}` : null,
    lookup: lookup ? `${lookup.tls ? 'https' : 'http'}://${host}:${lookup.port}` : null,
  };
}
