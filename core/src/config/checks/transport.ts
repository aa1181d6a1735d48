import type { CommonConfig } from '../common.ts';
import type { Finding } from '../problems.ts';
import { hostOf, isLoopbackHost } from './hosts.ts';

/** Passwords for Kafka and the registry that anybody on the way could read. */
export function transportFindings(config: CommonConfig): Finding[] {
  return [...kafkaFindings(config), ...passwordFindings('registry', config.registry, config)];
}

const isTrusted = ({ plaintextHosts }: Pick<CommonConfig, 'plaintextHosts'>, host: string) =>
  isLoopbackHost(host) || plaintextHosts.includes(host.toLowerCase());

const EXCEPTION = 'or, if the network between is trusted, name the host in plaintextHosts';

function kafkaFindings(config: CommonConfig): Finding[] {
  const { tls, sasl, brokers } = config.kafka;
  const found: Finding[] = [];
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    const missing = tls.certFile === undefined ? 'certFile' : 'keyFile';
    found.push({
      level: 'refuse',
      path: `kafka.tls.${missing}`,
      message: 'a client certificate needs both certFile and keyFile',
    });
  }
  const far = brokers.find((broker) => !isTrusted(config, hostOf(broker)));
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

/** Checks a section that has an HTTP address and perhaps a password for it. */
export function passwordFindings(
  path: string,
  { url, password }: { readonly url: string; readonly password?: unknown },
  config: Pick<CommonConfig, 'plaintextHosts'>,
): Finding[] {
  const { protocol, hostname } = new URL(url);
  if (password === undefined || protocol !== 'http:' || isTrusted(config, hostname)) return [];
  return [
    {
      level: 'refuse',
      path: `${path}.url`,
      message: `the password would go to ${hostname} unencrypted: use https, ${EXCEPTION}`,
      compared: ['plaintextHosts'],
    },
  ];
}
