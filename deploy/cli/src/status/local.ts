import { connect } from '@email-events/sink-clickhouse';
import { type ServiceLag, serviceLag } from '../groups.ts';
import { type PipelineConfig, pipelineConfig } from '../services.ts';
import type { RunState, ServiceStatus } from '../state-file.ts';
import { readAccounting } from './accounting.ts';
import { concernsOf } from './concerns.ts';
import {
  type Instance,
  type Report,
  readInstance,
  readMetrics,
  type ServiceReport,
  takesWork,
} from './instance.ts';
import { intakeOf } from './intake.ts';
import { readTotals } from './totals.ts';

export type LocalService = ServiceStatus & ServiceReport;

/** The state file of this machine's pipeline, with the answers of its services' admin ports. */
export type LocalReport = Omit<RunState, 'services'> &
  Omit<Report, 'services'> & {
    readonly services: readonly LocalService[];
  };

/** The state of a running pipeline with what its parts say of themselves now. Never throws for a part that is down. */
export async function readLocal(state: RunState): Promise<LocalReport> {
  const config = configOf(state);
  const [answers, lags, counts, accounting] = await Promise.all([
    Promise.all(state.services.map(answerOf)),
    config ? serviceLag(config).catch((): ServiceLag[] => []) : [],
    config ? readCounts(state, config).catch(() => null) : null,
    readAccounting(state.services.flatMap(({ adminUrl }) => adminUrl ?? [])),
  ]);
  const instances = answers.map((answer) => answer?.instance ?? null);
  const concerns = state.services.flatMap(({ name }, index) => {
    const answer = answers[index];
    return answer ? concernsOf(name, answer.metrics, answer.instance) : [];
  });
  const services = state.services.map((service, index) =>
    serviceReport(service, instances[index] ?? null, lags),
  );
  const ingresses = instances.filter((_, index) => state.services[index]?.name === 'ingress');
  return {
    ...{ ...state, services, counts, accounting, concerns, ready: isReady(state, services) },
    ...intakeOf(ingresses.map((instance) => instance?.ingress ?? null)),
  };
}

async function answerOf({ adminUrl }: ServiceStatus) {
  if (adminUrl === null) return null;
  const [instance, metrics] = await Promise.all([readInstance(adminUrl), readMetrics(adminUrl)]);
  return { instance, metrics };
}

function serviceReport(
  service: ServiceStatus,
  instance: Instance | null,
  lags: readonly ServiceLag[],
): LocalService {
  return {
    ...service,
    readiness: instance?.readiness ?? null,
    problems: instance?.problems ?? {},
    partitions: instance?.partitions ?? {},
    lag: lagOf(lags.filter((lag) => lag.service === service.name)),
  };
}

function lagOf(lags: readonly ServiceLag[]): ServiceReport['lag'] {
  if (lags.length === 0) return null;
  const further = lags.filter(({ service, consumer }) => consumer !== service);
  return {
    records: lags.reduce((sum, { records }) => sum + records, 0),
    exact: lags.every(({ exact }) => exact),
    ...(further.length > 0 && {
      // As the deployment's metrics name them: without the name of the service.
      of: Object.fromEntries(
        further.map(({ service, consumer, records }) => [consumer.slice(service.length + 1), records]),
      ),
    }),
  };
}

/** Undefined: a pipeline that starts for the first time has not written it yet. Secrets are read when something is asked with them. */
function configOf({ configFile }: RunState): PipelineConfig | undefined {
  try {
    return pipelineConfig.load(configFile, process.env, { reads: [] });
  } catch {
    return undefined;
  }
}

function isReady({ phase, components }: RunState, services: readonly LocalService[]): boolean {
  return (
    phase === 'running' &&
    components.every(({ state }) => state === 'running') &&
    services.every((service) => service.state === 'running' && takesWork(service))
  );
}

async function readCounts(state: RunState, config: PipelineConfig): Promise<{ [name: string]: number }> {
  const admin = Object.fromEntries(
    state.services.flatMap(({ name, adminUrl }) => (adminUrl ? [[name, adminUrl]] : [])),
  );
  const clickhouse = connect(config.sinks.clickhouse);
  try {
    const totals = await readTotals({ admin, config }, clickhouse);
    return {
      received: totals.received,
      emitted: totals.emitted,
      duplicates: totals.duplicates,
      'dead letters': totals.deadLetters,
      'rows in ClickHouse': totals.rows,
    };
  } finally {
    await clickhouse.close();
  }
}
