import { parseArgs } from 'node:util';
import { ConfigError, composeConfig, valueAt } from './config/index.ts';
import { KNOWN_SECTIONS } from './config/known-sections.gen.ts';
import { codeOf } from './errors.ts';
import { runAsProcess } from './lifecycle.ts';
import type { ServiceCheck, ServiceDescriptor } from './service.ts';
import { createLogger, createMetrics, digestOf, VERSION } from './telemetry.ts';
import { startTraces } from './tracing/start-traces.ts';

/**
 * Entry of a service process: `--config FILE` (default: EMAIL_EVENTS_CONFIG, else defaults and environment),
 * `--check-config` checks it and exits 0 or 1. Its own section and the common ones are checked; those of other services may be
 * there and are theirs to check.
 */
export async function serviceMain(service: ServiceDescriptor): Promise<void> {
  const { name } = service;
  const bootLog = createLogger(name, 'info');
  const [code, own] = await Promise.all([service.load(), service.loadCheck?.()]);
  let prepared: ReturnType<typeof prepare>;
  try {
    prepared = prepare(service, own);
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
  const start = async () => {
    const traces = await startTraces(config.tracing, name, log);
    const running = await code.start({
      config,
      log,
      metrics: createMetrics(name, config),
      ...(config.tracing && { traces }),
      reload,
    });
    const { ports } = running;
    log.info({ version: VERSION, node: process.versions.node, config: digestOf(config), ports }, 'started');
    return { ports, done: running.done, stop: () => running.stop().then(() => traces.close()) };
  };
  await runAsProcess(start, log);
}

/** Throws what is wrong with the command line or the configuration. */
function prepare(service: ServiceDescriptor, own: ServiceCheck<object> | undefined) {
  const { section, reads, absent } = service;
  const { values } = parseArgs({
    options: { config: { type: 'string' }, 'check-config': { type: 'boolean' } },
  });
  const reader = composeConfig([service], KNOWN_SECTIONS);
  const checks = [
    (config: object) => {
      if (absent !== undefined && valueAt(config, section) === undefined)
        throw new ConfigError([{ path: section, message: absent }]);
      return [];
    },
    ...(own ? [(config: object) => own.check(config)] : []),
  ];
  const read = () => {
    const file = values.config ?? process.env.EMAIL_EVENTS_CONFIG;
    const examined = reader.examine(file, process.env, { reads: [...reads, section], checks });
    if (examined.problems.length > 0) throw new ConfigError(examined.problems);
    return examined;
  };
  return { ...read(), checkOnly: values['check-config'] === true, reload: () => read().config };
}
