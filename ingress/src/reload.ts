import { ConfigError, codeOf, type Logger } from '@email-events/core';
import type { IngressConfig } from './config.ts';
import { checkIngressConfig } from './config-check.ts';
import { buildSources, type Sources } from './sources.ts';

/**
 * On SIGHUP reads the configuration again and takes over its sources (secrets, allow-lists, limits), all or none;
 * what else has changed needs a restart. Returns the function that stops listening.
 */
export function reloadOnHangup(
  reload: () => IngressConfig,
  replace: (sources: Sources) => void,
  log: Logger,
): () => void {
  const onHangup = () => {
    try {
      const config = reload();
      checkIngressConfig(config);
      const { sources } = config;
      replace(buildSources(sources));
      log.info({ sources: Object.keys(sources).length }, 'sources read again');
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : undefined;
      log.error(
        { code: 'INGRESS_RELOAD_REFUSED', cause: codeOf(error), problems },
        'the changed configuration cannot be used; the old one stays in force',
      );
    }
  };
  process.on('SIGHUP', onHangup);
  return () => {
    // Without a listener the signal would end the process, in the middle of its last requests.
    process.on('SIGHUP', () => {});
    process.off('SIGHUP', onHangup);
  };
}
