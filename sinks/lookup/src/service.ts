import {
  ConfigError,
  codeOf,
  type DependencyState,
  measureCertificate,
  pseudonymsOf,
  type RunningService,
  registryOf,
  runStopSteps,
  type ServiceContext,
  startAdminServer,
  TlsFiles,
} from '@email-events/core';
import { Codec } from '@email-events/schemas';
import { BytesUnderWay } from './body.ts';
import { type LookupConfig, SERVICE } from './config.ts';
import { createHandler, type LookupContext } from './handler.ts';
import { createLookupMetrics } from './metrics.ts';
import { readStates, type StateReader } from './reader.ts';
import { RefusalLog } from './refusal-log.ts';
import { type HttpServer, listen } from './server.ts';
import { SuppressionState } from './state.ts';
import { checkTokens, lookupSettings, Tokens } from './tokens.ts';

/** What is known is called old from here on, where no other limit is set. A broker that restarts takes less. */
const OLD_MS = 30_000;
const CALLS_STOP_MS = 10_000;

/**
 * Answers whether addresses may be mailed, from the states of email.suppressions in this process's memory. It listens at once; until
 * all states are read that there are, every answer is "later" and /readyz says LOOKUP_LOADING. Ports: `http`, `admin`. Throws ConfigError.
 */
export async function startLookup(service: ServiceContext<LookupConfig>): Promise<RunningService> {
  const { config, log, metrics: registry } = service;
  checkTokens(config);
  const settings = lookupSettings(config);
  const state = new SuppressionState(undefined, pseudonymsOf(config));
  const underWay = new BytesUnderWay(settings.maxInFlightBytes);
  let reader: StateReader | undefined;
  const freshness = () => reader?.freshness();
  const context: LookupContext = {
    ...{ state, underWay, freshness, log },
    tokens: tokensOf(config),
    maxAgeMs: settings.maxAgeMs,
    maxBodyBytes: settings.maxBodyBytes,
    metrics: createLookupMetrics(registry, { state, freshness, bytesUnderWay: () => underWay.used }),
    refusals: new RefusalLog(log),
  };
  reader = await readStates({
    ...{ kafka: config.kafka, codec: new Codec(registryOf(config)), name: SERVICE },
    ...{ state, maxStateBytes: settings.maxStateBytes, log },
  });
  const tls = settings.tls && new TlsFiles(settings.tls, log, 'LOOKUP_RELOAD_REFUSED');
  measureCertificate(registry, tls);
  const opened: Partial<Parts> = { reader };
  try {
    const server = await listen(settings, tls, createHandler(context));
    opened.server = server;
    const admin = await startAdminServer({
      ...{ host: config.adminHost, port: settings.adminPort, metrics: registry },
      readiness: readinessOf(context),
    });
    return running(service, context, { reader, server, admin });
  } catch (error) {
    await Promise.all([reader.stop(), opened.server?.close()]);
    throw error;
  }
}

interface Parts {
  reader: StateReader;
  server: HttpServer;
  admin: Awaited<ReturnType<typeof startAdminServer>>;
}

const tokensOf = (config: LookupConfig) =>
  new Tokens(lookupSettings(config).tokens.map((token) => token.reveal()));

/** Away, a dependency leaves what is known as it is: it grows old. */
function readinessOf({ state, freshness, maxAgeMs }: LookupContext) {
  const degraded = (code: string | undefined): DependencyState => code && { degraded: code };
  return {
    states: (): DependencyState => {
      if (state.lacksKeys) return 'LOOKUP_ERASURE_KEYS_MISSING';
      const { ageMs } = freshness() ?? {};
      if (ageMs === undefined) return 'LOOKUP_LOADING';
      if (ageMs <= (maxAgeMs ?? OLD_MS)) return undefined;
      return maxAgeMs === undefined ? degraded('LOOKUP_STALE') : 'LOOKUP_STALE';
    },
    kafka: () => degraded(freshness()?.problems.kafka),
    registry: () => degraded(freshness()?.problems.registry),
    records: () => degraded(state.unreadable > 0 ? 'LOOKUP_RECORD_UNREADABLE' : undefined),
  };
}

function running(
  { log, reload }: ServiceContext<LookupConfig>,
  context: LookupContext,
  { reader, server, admin }: Parts,
): RunningService {
  const stopReloading = reload ? reloadOnHangup(reload, context) : () => {};
  const steps = [
    { name: 'readiness', deadlineMs: 100, run: () => admin.drain() },
    { name: 'calls', deadlineMs: CALLS_STOP_MS, run: () => server.close() },
    { name: 'connections', deadlineMs: 100, run: () => server.destroy() },
    { name: 'reader', deadlineMs: 5_000, run: () => reader.stop() },
    { name: 'log', deadlineMs: 100, run: () => context.refusals.close() },
    { name: 'admin', deadlineMs: 1_000, run: () => admin.close() },
  ];
  let stopping: Promise<void> | undefined;
  return {
    ports: { http: server.port, admin: admin.port },
    done: reader.done,
    stop() {
      stopReloading();
      stopping ??= runStopSteps(steps, log);
      return stopping;
    },
  };
}

/** On SIGHUP reads the configuration again and takes over its tokens; what else has changed needs a restart. */
function reloadOnHangup(reload: () => LookupConfig, context: LookupContext): () => void {
  const onHangup = () => {
    try {
      const config = reload();
      checkTokens(config);
      context.tokens = tokensOf(config);
      context.log.info('tokens read again');
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : undefined;
      context.log.error(
        { code: 'LOOKUP_RELOAD_REFUSED', cause: codeOf(error), problems },
        'the changed configuration cannot be used; the former tokens stay in force',
      );
    }
  };
  process.on('SIGHUP', onHangup);
  return () => process.off('SIGHUP', onHangup);
}
