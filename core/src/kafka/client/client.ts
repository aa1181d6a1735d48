import { readFileSync } from 'node:fs';
import type { Admin, KafkaConfig } from 'kafkajs';
import { pino } from 'pino';
import type { CommonConfig } from '../../config/index.ts';
import { PipelineError } from '../../errors.ts';
import { retry } from '../../retry.ts';
import type { Logger } from '../../telemetry.ts';
import { isRetriable, unreachable } from '../errors.ts';
import { createLogger, Kafka, logLevel } from '../kafkajs/kafkajs.ts';
import { clientIdOf } from '../names.ts';
import { Brokers } from './brokers.ts';
import { saslOf } from './sasl.ts';

export type KafkaSettings = CommonConfig['kafka'];

/** The one place where kafkajs is set up: addresses, TLS, SASL, time-outs, and its log lines in this service's log. */
export function createKafka(
  settings: KafkaSettings,
  service: string,
  log: Logger,
  /** For a client that must fail sooner than most. */
  overrides: Pick<KafkaConfig, 'connectionTimeout' | 'requestTimeout' | 'retry'> = {},
): Kafka {
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

/** The same addresses and security for requests to brokers without kafkajs's producer and consumer. */
export function createBrokers(
  settings: KafkaSettings,
  service: string,
  log: Logger,
  /** For a client that must fail sooner than most. */
  { connectionTimeoutMs = settings.connectionTimeoutMs, requestTimeoutMs = settings.requestTimeoutMs } = {},
): Brokers {
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

/** At debug level: kafkajs retries most of its errors by itself. The others reach the caller as a rejection, which is logged there. */
function logEntry(log: Logger) {
  return ({ namespace, log: entry }: { namespace: string; log: { message: string } }) => {
    log.debug({ component: `kafkajs ${namespace}`.trim() }, entry.message);
  };
}

/** For commands that print their own messages: what the client would log arrives as a rejection. */
export const silentLog = pino({ level: 'silent' });

/** Runs the work with a connected admin client. A cluster that does not answer is KAFKA_UNREACHABLE. */
export async function withAdmin<T>(settings: KafkaSettings, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = createKafka(settings, 'admin', silentLog).admin({
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 6 },
  });
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw unreachable(error, settings) ?? error;
  } finally {
    await admin.disconnect();
  }
}

const SETTLE_MS = 30_000;
const PAUSE_MS = 100;

/**
 * The same for work that only reads, so that it can be done again: right after a topic was created or a broker came
 * back, some answers are errors that pass (no leader yet, a coordinator that loads).
 */
export function readWithAdmin<T>(settings: KafkaSettings, work: (admin: Admin) => Promise<T>): Promise<T> {
  const backoff = { firstMs: PAUSE_MS, longestMs: PAUSE_MS };
  return withAdmin(settings, (admin) =>
    retry(() => work(admin), { forMs: SETTLE_MS, backoff, retryIf: isRetriable }),
  );
}

export interface ClusterDescription {
  /** Made when the cluster's storage was formatted: another id means other data. */
  readonly clusterId: string;
}

/** Asks any broker. Throws KAFKA_UNREACHABLE. */
export async function describeCluster(
  settings: KafkaSettings,
  service: string,
  log: Logger,
): Promise<ClusterDescription> {
  const admin = createKafka(settings, service, log).admin();
  try {
    await admin.connect();
    const { clusterId } = await admin.describeCluster();
    return { clusterId };
  } catch (cause) {
    throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no broker answers', { cause });
  } finally {
    await admin.disconnect();
  }
}
