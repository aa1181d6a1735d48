import { loadConfig, type PipelineConfig } from '@email-events/core';
import { connect } from '@email-events/sink-clickhouse';
import { readTotals } from './demo/figures.ts';
import { type ServiceLag, serviceLag } from './groups.ts';
import type { RunState, ServiceStatus } from './state-file.ts';

export interface ServiceReport extends ServiceStatus {
  /** ok, or what /readyz says is missing; null: it has no admin port. */
  readonly ready: string | null;
  /** Null: it reads no topic, or Kafka does not answer. */
  readonly lag: { readonly records: number; readonly exact: boolean } | null;
}

export interface PipelineStatus extends Omit<RunState, 'services'> {
  /** Everything runs and says that it is ready. */
  readonly ready: boolean;
  readonly services: readonly ServiceReport[];
  /** Since the data began; null: not all of it can be read now. */
  readonly counts: { readonly [name: string]: number } | null;
}

/** The state of a running pipeline with what its parts say of themselves now. Never throws for a part that is down. */
export async function readStatus(state: RunState): Promise<PipelineStatus> {
  // Secrets are read when something is asked with them.
  const config = loadConfig(state.configFile, process.env, { reads: [] });
  const [ready, lags, counts] = await Promise.all([
    Promise.all(state.services.map(({ adminUrl }) => readiness(adminUrl))),
    serviceLag(config).catch((): ServiceLag[] => []),
    readCounts(state, config).catch(() => null),
  ]);
  const services = state.services.map((service, index) => {
    const lag = lags.find((found) => found.service === service.name);
    return {
      ...service,
      ready: ready[index] ?? null,
      lag: lag ? { records: lag.records, exact: lag.exact } : null,
    };
  });
  return { ...state, services, counts, ready: isReady(state, services) };
}

function isReady({ phase, components }: RunState, services: readonly ServiceReport[]): boolean {
  return (
    phase === 'running' &&
    components.every(({ state }) => state === 'running') &&
    services.every(({ state, ready }) => state === 'running' && (ready === null || ready === 'ok'))
  );
}

const TIMEOUT_MS = 3_000;

async function readiness(adminUrl: string | null): Promise<string | null> {
  if (adminUrl === null) return null;
  try {
    const response = await fetch(`${adminUrl}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const { dependencies = {} } = (await response.json()) as { dependencies?: { [name: string]: string } };
    if (response.ok) return 'ok';
    const missing = Object.entries(dependencies).filter(([, problem]) => problem !== 'ok');
    return missing.map(([name, problem]) => `${name}: ${problem}`).join(', ') || 'no';
  } catch {
    return 'no answer';
  }
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
