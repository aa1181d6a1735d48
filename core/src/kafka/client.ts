import { readFileSync } from 'node:fs';
import type { KafkaConfig, SASLOptions } from 'kafkajs';
import type { CommonConfig } from '../config/index.ts';
import type { Logger } from '../log.ts';
import { Kafka, logLevel } from './kafkajs.ts';
import { clientIdOf } from './names.ts';
import { Brokers } from './wire/brokers.ts';
import { createLogger } from './wire/kafkajs-parts.ts';

type KafkaSettings = CommonConfig['kafka'];

/** The one place where kafkajs is set up: addresses, TLS, SASL, time-outs, and its log lines as ours. */
export function createKafka(
  settings: KafkaSettings,
  service: string,
  log: Logger,
  /** For a client that must fail sooner than most. */
  overrides: Pick<KafkaConfig, 'connectionTimeout' | 'requestTimeout' | 'retry'> = {},
): Kafka {
  silenceNegativeTimeoutWarning();
  const { brokers, clientId, connectionTimeoutMs, requestTimeoutMs } = settings;
  return new Kafka({
    brokers,
    clientId: clientIdOf(clientId, service),
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Short first steps: right after a commit a transaction may meet CONCURRENT_TRANSACTIONS for some milliseconds.
    retry: { initialRetryTime: 20, factor: 0.2, multiplier: 2, maxRetryTime: 2_000, retries: 8 },
    ...overrides,
    ...tlsOf(settings),
    ...(settings.sasl ? { sasl: saslOf(settings.sasl) } : {}),
    logLevel: logLevel.WARN,
    logCreator: () => logEntry(log),
  });
}

/** The same addresses and security for what of ours speaks to brokers without kafkajs's producer and consumer. */
export function createBrokers(
  settings: KafkaSettings,
  service: string,
  log: Logger,
  /** For a client that must fail sooner than most. */
  { connectionTimeoutMs = settings.connectionTimeoutMs, requestTimeoutMs = settings.requestTimeoutMs } = {},
): Brokers {
  silenceNegativeTimeoutWarning();
  const { brokers, clientId } = settings;
  return new Brokers({
    brokers,
    clientId: clientIdOf(clientId, service),
    connectionTimeoutMs,
    requestTimeoutMs,
    ...tlsOf(settings),
    ...(settings.sasl ? { sasl: saslOf(settings.sasl) } : {}),
    logger: createLogger({ level: logLevel.WARN, logCreator: () => logEntry(log) }),
  });
}

function tlsOf({ tls }: KafkaSettings): Pick<KafkaConfig, 'ssl'> {
  if (!tls.enabled) return {};
  const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));
  const [ca, cert, key] = [read(tls.caFile), read(tls.certFile), read(tls.keyFile)];
  return { ssl: { ...(ca ? { ca: [ca] } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) } };
}

function saslOf({ mechanism, username, password }: NonNullable<KafkaSettings['sasl']>): SASLOptions {
  return { mechanism, username, password: password.reveal() } as SASLOptions;
}

/** What kafkajs calls an error it mostly retries by itself; what it does not reaches us as a rejection and is logged there. */
function logEntry(log: Logger) {
  return ({ namespace, log: entry }: { namespace: string; log: { message: string } }) => {
    log.debug({ component: `kafkajs ${namespace}`.trim() }, entry.message);
  };
}

let silenced = false;
/** kafkajs computes a negative delay once per process on Node 24; harmless, and the only warning that is dropped. */
function silenceNegativeTimeoutWarning(): void {
  if (silenced) return;
  silenced = true;
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    const [first] = rest;
    const name =
      warning instanceof Error
        ? warning.name
        : typeof first === 'string'
          ? first
          : (first as { type?: string })?.type;
    if (name === 'TimeoutNegativeWarning') return;
    (emitWarning as (...all: unknown[]) => void).call(process, warning, ...rest);
  }) as typeof process.emitWarning;
}
