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
  const { values } = parseArgs({
    options: { config: { type: 'string' }, 'check-config': { type: 'boolean' } },
  });
  const bootLog = createLogger(name, 'info');
  const load = () => {
    const loaded = loadConfig(values.config ?? process.env.EMAIL_EVENTS_CONFIG);
    check(loaded);
    return loaded;
  };
  let config: PipelineConfig;
  try {
    config = load();
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [{ path: '', message: String(error) }];
    bootLog.fatal({ code: codeOf(error), problems }, 'the configuration cannot be used');
    process.exit(1);
  }
  if (values['check-config']) process.exit(0);
  const log = createLogger(name, config.log.level);
  log.debug({ config }, 'effective configuration');
  await runAsProcess(() => start({ config, log, metrics: createMetrics(name), reload: load }), log);
}
