import { ConfigError, type ConfigProblem } from '@email-events/core';
import { findAdapter } from '@email-events/esps';
import { AddressList, isLoopback } from './addresses.ts';
import type { IngressConfig } from './config.ts';
import { buildSources, type FindAdapter, largestBody } from './sources.ts';

/** Checks that only the ingress can make. Returns warnings. Throws ConfigError with everything that is wrong. */
export function checkIngressConfig(config: IngressConfig, find?: FindAdapter): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { ingress, sources } = config;
  collect(problems, () => buildSources(sources, find));
  problems.push(...sizeProblems(config, find));
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
  return limitsThatLose(config, find);
}

/** Limits under which requests are refused whose ESP perhaps never sends them again. */
function limitsThatLose(
  { ingress, sources }: IngressConfig,
  find: FindAdapter = findAdapter,
): ConfigProblem[] {
  const atRisk = Object.entries(sources).flatMap(([name, { esp, requestsPerSecond }]) => {
    const adapter = find(esp);
    return adapter?.http.mayDiscardRefused ? [{ name, title: adapter.title, requestsPerSecond }] : [];
  });
  const own = atRisk
    .filter(({ requestsPerSecond }) => requestsPerSecond !== undefined)
    .map(({ name, title }) => ({
      path: `sources.${name}.requestsPerSecond`,
      message: `${title} may not send again what is over the limit: its events are lost then`,
    }));
  if (ingress.maxBytesPerSecond === undefined || atRisk.length === 0) return own;
  const names = atRisk.map(({ name, title }) => `${name} (${title})`).join(', ');
  const message = `what is over an account's share may not be sent again to ${names}: its events are lost then`;
  return [...own, { path: 'ingress.maxBytesPerSecond', message }];
}

/** Bodies that are allowed and would find no room. What is configured, and not an ESP's own size, config.ts compares. */
function sizeProblems(
  { ingress, sources, topics }: IngressConfig,
  find: FindAdapter = findAdapter,
): ConfigProblem[] {
  const limits = [
    { name: 'topics.maxRequestBytes', bytes: topics.maxRequestBytes, ownToo: true },
    { name: 'ingress.maxInFlightBytes', bytes: ingress.maxInFlightBytes, ownToo: false },
    ...(ingress.spool.enabled
      ? [{ name: 'ingress.spool.maxBytes', bytes: ingress.spool.maxBytes, ownToo: false }]
      : []),
  ];
  return Object.entries(sources).flatMap(([name, settings]) => {
    const adapter = find(settings.esp);
    if (!adapter) return [];
    const largest = largestBody(settings, adapter);
    const own = settings.maxBodyBytes !== undefined;
    const what = own ? 'a body' : `a request of ${adapter.title}`;
    return limits
      .filter(({ bytes, ownToo }) => largest > bytes && (ownToo || !own))
      .map(({ name: limit, bytes }) => ({
        path: `sources.${name}.maxBodyBytes`,
        message: `${what} of up to ${largest} bytes does not fit into ${limit} (${bytes})`,
      }));
  });
}

function collect(problems: ConfigProblem[], check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
}
