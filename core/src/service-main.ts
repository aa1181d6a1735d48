import { parseArgs } from 'node:util';
import { ConfigError, type ConfigUse, examineConfig, type PipelineConfig } from './config/index.ts';
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
 * `--check-config` checks it and exits 0 or 1. `use` says which sections are the service's own, the only ones whose secrets
 * it needs, and what only the service itself can judge.
 */
export async function serviceMain(name: string, start: StartService, use: ConfigUse = {}): Promise<void> {
  const bootLog = createLogger(name, 'info');
  let prepared: ReturnType<typeof prepare>;
  try {
    prepared = prepare(use);
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [{ path: '', message: String(error) }];
    bootLog.fatal({ code: codeOf(error), problems }, 'the configuration cannot be used');
    process.exit(1);
  }
  const { config, warnings, checkOnly, reload } = prepared;
  const log = createLogger(name, config.log.level);
  if (warnings.length > 0)
    log.warn({ code: 'CONFIG_DOUBTFUL', problems: warnings }, 'the configuration should be looked at');
  if (checkOnly) process.exit(0);
  log.debug({ config }, 'effective configuration');
  await runAsProcess(() => start({ config, log, metrics: createMetrics(name), reload }), log);
}

/** Throws what is wrong with the command line or the configuration. */
function prepare(use: ConfigUse) {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, 'check-config': { type: 'boolean' } },
  });
  const read = () => {
    const examined = examineConfig(values.config ?? process.env.EMAIL_EVENTS_CONFIG, process.env, use);
    if (examined.problems.length > 0) throw new ConfigError(examined.problems);
    return examined;
  };
  return { ...read(), checkOnly: values['check-config'] === true, reload: () => read().config };
}
