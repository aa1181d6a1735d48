import type { PipelineConfig } from '../load.ts';
import type { Finding } from '../problems.ts';
import { hostOf, isLoopbackHost } from './hosts.ts';

/** Passwords that whoever is on the way could read. */
export function transportFindings(config: PipelineConfig): Finding[] {
  const { registry, sinks, plaintextHosts } = config;
  const { clickhouse } = sinks;
  const trusted = (host: string) => isLoopbackHost(host) || plaintextHosts.includes(host.toLowerCase());
  return [
    ...kafkaFindings(config, trusted),
    ...httpFindings('registry', registry.url, registry.password !== undefined, trusted),
    ...httpFindings('sinks.clickhouse', clickhouse.url, clickhouse.password !== undefined, trusted),
  ];
}

type Trusted = (host: string) => boolean;

const EXCEPTION = 'or, if the network between is trusted, name the host in plaintextHosts';

function kafkaFindings({ kafka }: PipelineConfig, trusted: Trusted): Finding[] {
  const { tls, sasl, brokers } = kafka;
  const found: Finding[] = [];
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    const missing = tls.certFile === undefined ? 'certFile' : 'keyFile';
    found.push({
      level: 'refuse',
      path: `kafka.tls.${missing}`,
      message: 'a client certificate needs both certFile and keyFile',
    });
  }
  const far = brokers.find((broker) => !trusted(hostOf(broker)));
  if (!sasl || tls.enabled || far === undefined) return found;
  const compared = ['kafka.brokers', 'kafka.tls.enabled', 'plaintextHosts'];
  const path = 'kafka.sasl.mechanism';
  if (sasl.mechanism === 'plain') {
    const message = `plain sends the password to ${far} as it is: set kafka.tls.enabled, ${EXCEPTION}`;
    found.push({ level: 'refuse', path, message, compared });
  } else {
    const message = `${sasl.mechanism} without TLS lets whoever listens on the way to ${far} guess the password offline`;
    found.push({ level: 'warn', path, message, compared });
  }
  return found;
}

function httpFindings(section: string, url: string, hasPassword: boolean, trusted: Trusted): Finding[] {
  const { protocol, hostname } = new URL(url);
  if (!hasPassword || protocol !== 'http:' || trusted(hostname)) return [];
  return [
    {
      level: 'refuse',
      path: `${section}.url`,
      message: `the password would go to ${hostname} unencrypted: use https, ${EXCEPTION}`,
      compared: ['plaintextHosts'],
    },
  ];
}
