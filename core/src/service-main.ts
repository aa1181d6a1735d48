import { parseArgs } from 'node:util';
import { ConfigError, loadConfig, type PipelineConfig } from './config/index.ts';
import { codeOf } from './errors.ts';
import { type RunningService, runAsProcess } from './lifecycle.ts';
import { createLogger, type Logger } from './log.ts';
import { createMetrics, type Registry } from './metrics.ts';

/** What every service is started with. */
export interface ServiceContext {
  readonly config: PipelineConfig;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Reads the configuration again, for a service that can take over part of it while it runs. Throws ConfigError. */
  readonly reload?: () => PipelineConfig;
}

/** Starts a service; resolves when it takes work. */
export type StartService = (context: ServiceContext) => Promise<RunningService>;

/**
 * Entry of a service process: `--config FILE` (default: EMAIL_EVENTS_CONFIG, else defaults and environment),
 * `--check-config` checks it and exits 0 or 1. `check` adds what only the service itself can judge; it throws ConfigError.
 */
export async function serviceMain(
  name: string,
  start: StartService,
  check: (config: PipelineConfig) => void = () => {},
): Promise<void> {
  const bootLog = createLogger(name, 'info');
  let prepared: ReturnType<typeof prepare>;
  try {
    prepared = prepare(check);
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [{ path: '', message: String(error) }];
    bootLog.fatal({ code: codeOf(error), problems }, 'the configuration cannot be used');
    process.exit(1);
  }
  const { config, checkOnly, reload } = prepared;
  if (checkOnly) process.exit(0);
  const log = createLogger(name, config.log.level);
  log.debug({ config }, 'effective configuration');
  await runAsProcess(() => start({ config, log, metrics: createMetrics(name), reload }), log);
}

/** Throws what is wrong with the command line or the configuration. */
function prepare(check: (config: PipelineConfig) => void) {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, 'check-config': { type: 'boolean' } },
  });
  const reload = () => {
    const loaded = loadConfig(values.config ?? process.env.EMAIL_EVENTS_CONFIG);
    check(loaded);
    return loaded;
  };
  return { config: reload(), checkOnly: values['check-config'] === true, reload };
}
