import { ConfigError, type ConfigProblem, type PipelineConfig } from '@email-events/core';
import { AddressList, isLoopback } from './addresses.ts';
import { buildSources, type FindAdapter } from './sources.ts';

/** What only the ingress can judge. Throws ConfigError with everything that is wrong. */
export function checkIngressConfig(config: PipelineConfig, find?: FindAdapter): void {
  const problems: ConfigProblem[] = [];
  const { ingress, sources } = config;
  collect(problems, () => buildSources(sources, find));
  try {
    new AddressList(ingress.trustedProxies);
  } catch (error) {
    problems.push({ path: 'ingress.trustedProxies', message: (error as Error).message });
  }
  if (!isLoopback(ingress.host)) {
    if (!ingress.tls && ingress.trustedProxies.length === 0) {
      const message =
        'plain HTTP off loopback: configure ingress.tls, or ingress.trustedProxies if a proxy has it';
      problems.push({ path: 'ingress.host', message });
    }
    for (const [name, { verification }] of Object.entries(sources)) {
      if (verification !== 'none') continue;
      problems.push({ path: `sources.${name}.verification`, message: 'none is for loopback only' });
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

function collect(problems: ConfigProblem[], check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
}
