import { valueAt } from '@email-events/core/config';
import { type Sample, sumBy } from '../admin-port.ts';
import { type PipelineConfig, type Services, services, servicesOf } from '../services.ts';
import { readAccounting } from './accounting.ts';
import { concernsOf } from './concerns.ts';
import {
  NO_ANSWER,
  type Report,
  readInstance,
  readMetrics,
  type ServiceReport,
  serviceOf,
  takesWork,
} from './instance.ts';
import { intakeOf } from './intake.ts';

const EVENTS_TOTAL = 'email_events_events_total';
/** What they count belongs together. `?`: it does not say what it is. */
const ACCOUNTED = ['ingress', 'normalize', 'events', '?'];
const LAG = 'email_events_consumer_lag';

/** Where an instance of a service is asked. */
export interface Address {
  /** Null: the port is not known, so it cannot be asked. */
  readonly adminUrl: string | null;
  /** Service that is expected there; undefined: the instance says which one it is. */
  readonly name?: string;
}

/** Services of which nothing but the addresses of their admin ports is known; an instance each. Never throws. */
export async function readDeployment(addresses: readonly Address[]): Promise<Report> {
  const instances = await Promise.all(addresses.map(readOne));
  const services = instances.map(({ service }) => service);
  const samples = instances.map(({ metrics }) => metrics);
  const ingresses = instances.filter(({ service }) => service.name === 'ingress');
  return {
    ready: services.every(takesWork),
    services,
    counts: countsOf(samples),
    accounting: await readAccounting(counting(instances)),
    concerns: instances.flatMap(({ service, metrics }) => concernsOf(service.name, metrics, service)),
    ...intakeOf(ingresses.map(({ ingress }) => ingress)),
  };
}

/** Those that count; one that does not answer may be one of them. */
function counting(instances: readonly { readonly service: ServiceReport }[]): readonly string[] {
  return instances.flatMap(({ service: { name, adminUrl } }) =>
    ACCOUNTED.includes(name) ? [adminUrl ?? ''] : [],
  );
}

async function readOne({ adminUrl, name: expected }: Address) {
  const [{ ingress, ...instance }, metrics] =
    adminUrl === null
      ? ([NO_ANSWER, null] as const)
      : await Promise.all([readInstance(adminUrl), readMetrics(adminUrl)]);
  const told = metrics ? serviceOf(metrics) : undefined;
  const name = expected ?? told ?? '?';
  const service: ServiceReport = { name, ...instance, lag: lagOf(metrics ?? []), adminUrl };
  if (told === undefined || told === name) return { service, ingress, metrics };
  const another = {
    ...service,
    readiness: 'not ready',
    problems: { 'answered by': told },
    lag: null,
  } as const;
  return { service: another, ingress: null, metrics: null };
}

/** Offsets, which count the markers of transactions too. */
function lagOf(samples: readonly Sample[]): ServiceReport['lag'] {
  const own = samples.filter(({ name }) => name === LAG);
  if (own.length === 0) return null;
  const further = sumBy(
    own.filter(({ labels }) => labels.crm !== undefined),
    LAG,
    'crm',
  );
  return {
    records: own.reduce((sum, { value }) => sum + value, 0),
    exact: false,
    ...(Object.keys(further).length > 0 && { of: further }),
  };
}

/** The totals of all instances of `events`; null: one that does not answer may be one of them. */
function countsOf(instances: readonly (readonly Sample[] | null)[]): Report['counts'] {
  if (instances.includes(null)) return null;
  const totals = sumBy(
    instances.flatMap((samples) => samples ?? []),
    EVENTS_TOTAL,
    'result',
  );
  if (Object.keys(totals).length === 0) return null;
  return {
    received: totals.received ?? 0,
    emitted: totals.emitted ?? 0,
    duplicates: totals.duplicate ?? 0,
    'dead letters of events': totals.dead_letter ?? 0,
    ...(totals.erased ? { 'of erased recipients': totals.erased } : {}),
  };
}

/** Where the services of this configuration are asked: `adminHost`, and the port of each. A port of 0 is any, so it cannot be known. */
export function adminAddresses(
  config: Pick<PipelineConfig, 'adminHost'>,
  all: Services = services,
): readonly Address[] {
  const host = reachable(config.adminHost);
  return servicesOf(config, all).map(({ name, section }) => {
    const port = valueAt(config, `${section}.adminPort`);
    return { name, adminUrl: port ? `http://${host}:${port}` : null };
  });
}

/** A service that is bound to every address is asked on loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  const bare = host === '::' ? '::1' : host;
  return bare.includes(':') ? `[${bare}]` : bare;
}
