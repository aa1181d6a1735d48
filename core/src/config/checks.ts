import type { CommonConfig } from './common.ts';
import type { Finding } from './problems.ts';
import { secretsOf } from './secrets.ts';

/** Of the sections that services share: keys that do not go together, and values that work and should be looked at. */
export function commonFindings(config: CommonConfig): Finding[] {
  return CHECKS.flatMap((check) => check(config));
}

const CHECKS: readonly ((config: CommonConfig) => Finding[])[] = [
  accountFindings,
  transportFindings,
  secretFindings,
  topicFindings,
  timeoutFindings,
];

/**
 * Two sources of one ESP are either two accounts there, whose ids may be the same, or two webhooks of one account, whose
 * events are the same. Only the operator can tell, and a wrong guess would lose events or count them twice.
 */
function accountFindings({ sources }: CommonConfig): Finding[] {
  const byEsp = new Map<string, string[]>();
  for (const [name, { esp }] of Object.entries(sources)) byEsp.set(esp, [...(byEsp.get(esp) ?? []), name]);
  return [...byEsp].flatMap(([esp, names]) => {
    if (names.length < 2) return [];
    return names
      .filter((name) => sources[name]?.account === undefined)
      .map((name) => ({
        level: 'refuse',
        path: `sources.${name}.account`,
        message:
          `${names.join(' and ')} have the same ESP (${esp}): each must name its account, ` +
          'the same one if they are webhooks of one account',
        compared: names.map((other) => `sources.${other}.esp`),
      }));
  });
}

/** Passwords for Kafka and the registry that anybody on the way could read. */
function transportFindings(config: CommonConfig): Finding[] {
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
  if (sasl) found.push(...tokenFindings(sasl, config));
  const far = brokers.find((broker) => !isTrusted(config, hostOf(broker)));
  if (!sasl || tls.enabled || far === undefined) return found;
  const compared = ['kafka.brokers', 'kafka.tls.enabled', 'plaintextHosts'];
  const path = 'kafka.sasl.mechanism';
  if (sasl.mechanism === 'plain' || sasl.mechanism === 'oauthbearer') {
    const sent = sasl.mechanism === 'plain' ? 'the password' : 'its token';
    const message = `${sasl.mechanism} sends ${sent} to ${far} as it is: set kafka.tls.enabled, ${EXCEPTION}`;
    found.push({ level: 'refuse', path, message, compared });
  } else {
    const message = `${sasl.mechanism} without TLS lets whoever listens on the way to ${far} guess the password offline`;
    found.push({ level: 'warn', path, message, compared });
  }
  return found;
}

function tokenFindings(sasl: NonNullable<CommonConfig['kafka']['sasl']>, config: CommonConfig): Finding[] {
  const { mechanism, tokenUrl, scope, password } = sasl;
  const refuse = (key: string, message: string): Finding => ({
    level: 'refuse',
    path: `kafka.sasl.${key}`,
    message,
  });
  if (mechanism === 'oauthbearer') {
    if (tokenUrl === undefined) return [refuse('tokenUrl', 'oauthbearer needs an address for its tokens')];
    const found = passwordFindings('kafka.sasl', { url: tokenUrl, password }, config);
    return found.map((finding) => ({ ...finding, path: 'kafka.sasl.tokenUrl' }));
  }
  const stray = tokenUrl !== undefined ? 'tokenUrl' : scope !== undefined ? 'scope' : undefined;
  return stray ? [refuse(stray, `is for oauthbearer, not for ${mechanism}`)] : [];
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

/**
 * ESPs give out longer secrets: Mandrill's keys have 22 characters, those of Mailgun, MailerSend and Mailtrap 32 and more,
 * whsec_ secrets 24 bytes. An operator made up a shorter one, and an attacker can guess it from one signed request.
 */
const SHORTEST_BYTES = 16;

/**
 * Warns about secrets of sources that an attacker can guess, since anybody may post to a webhook. It judges no passwords: the systems
 * that give them out do. It judges only secrets that are read.
 */
function secretFindings({ sources }: CommonConfig): Finding[] {
  return secretsOf(sources, 'sources').flatMap(({ path, secret }): Finding[] => {
    if (!secret.isRead) return [];
    const bytes = secretBytes(secret.reveal());
    if (bytes >= SHORTEST_BYTES) return [];
    const message = `has ${bytes} of the ${SHORTEST_BYTES} bytes that cannot be guessed: whoever guesses it can send events`;
    return [{ level: 'warn', path, message }];
  });
}

/** Of `user:password` only the password counts, of `whsec_…` the bytes that it encodes. */
function secretBytes(secret: string): number {
  const encoded = /^whsec_(.*)$/s.exec(secret)?.[1];
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').length;
  return Buffer.byteLength(secret.slice(secret.indexOf(':') + 1));
}

/** Compares the number of replicas with the number that must be in sync. */
function topicFindings({ topics }: CommonConfig): Finding[] {
  const { replicationFactor, minInsyncReplicas } = topics;
  const path = 'topics.minInsyncReplicas';
  const compared = ['topics.replicationFactor'];
  if (minInsyncReplicas > replicationFactor) {
    const message = `more than topics.replicationFactor (${replicationFactor}): so many are never in sync, and nothing could be written`;
    return [{ level: 'refuse', path, message, compared }];
  }
  if (replicationFactor > 1 && minInsyncReplicas === replicationFactor) {
    const message = 'all replicas must be in sync: one broker that is away stops all writes';
    return [{ level: 'warn', path, message, compared }];
  }
  return [];
}

/** A broker's defaults for group.min.session.timeout.ms and group.max.session.timeout.ms. */
const SHORTEST_SESSION_MS = 6_000;
const LONGEST_SESSION_MS = 1_800_000;

/** Times of the connection to Kafka that do not go together. */
function timeoutFindings({ kafka }: CommonConfig): Finding[] {
  const { sessionTimeoutMs, connectionTimeoutMs, requestTimeoutMs } = kafka;
  const path = 'kafka.sessionTimeoutMs';
  const found: Finding[] = [];
  if (sessionTimeoutMs < SHORTEST_SESSION_MS || sessionTimeoutMs > LONGEST_SESSION_MS) {
    const message = `brokers take ${SHORTEST_SESSION_MS} to ${LONGEST_SESSION_MS} unless they are told otherwise, and refuse the group member else`;
    found.push({ level: 'warn', path, message });
  }
  if (sessionTimeoutMs <= connectionTimeoutMs) {
    const message =
      'one connection that hangs for kafka.connectionTimeoutMs costs the membership of the group';
    found.push({ level: 'warn', path, message, compared: ['kafka.connectionTimeoutMs'] });
  }
  if (requestTimeoutMs < connectionTimeoutMs) {
    const message = 'shorter than kafka.connectionTimeoutMs: a request is given up before it can be sent';
    const compared = ['kafka.connectionTimeoutMs'];
    found.push({ level: 'warn', path: 'kafka.requestTimeoutMs', message, compared });
  }
  return found;
}

export interface ServicePort {
  readonly service: string;
  readonly path: string;
  readonly port: number;
  readonly host: string;
  readonly hostPath: string;
}

/** Finds ports that are used twice. Within one service that is refused; two services may run on different machines, so it is a warning. */
export function portFindings(all: readonly ServicePort[]): Finding[] {
  const ports = all.filter(({ port }) => port !== 0);
  return ports.flatMap((second, index): Finding[] => {
    const first = ports.slice(0, index).find((earlier) => collides(earlier, second));
    if (!first) return [];
    const { path, port, service } = second;
    const compared = [first.path, first.hostPath, second.hostPath];
    if (first.service === service)
      return [{ level: 'refuse', path, message: `${port} is ${first.path} already`, compared }];
    const message = `${port} is ${first.path} too: on one machine only one of them starts`;
    return [{ level: 'warn', path, message, compared }];
  });
}

const collides = (a: ServicePort, b: ServicePort) =>
  a.port === b.port && (a.host === b.host || isWildcard(a.host) || isWildcard(b.host));

/** Host of `host:port`, `[::1]:9092` or a host alone. */
export function hostOf(address: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(address)?.[1];
  if (bracketed !== undefined) return bracketed;
  const colon = address.indexOf(':');
  // Several colons: an IPv6 address without brackets.
  return colon === -1 || colon !== address.lastIndexOf(':') ? address : address.slice(0, colon);
}

/** Data sent to this host does not leave the machine. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(bare);
}

/** A server that listens on it takes connections to any address of the machine. */
const isWildcard = (host: string): boolean => ['0.0.0.0', '::', '[::]', ''].includes(host);
