import { z } from 'zod';
import { passwordFindings } from './checks/index.ts';
import { type ComposedConfig, type ConfigWith, composeConfig } from './compose.ts';
import { address, adminPort, count, ms, NAME, port, section } from './fields.ts';
import type { ConfigSchema } from './json-schema.ts';
import { type ConfigUse, configReader } from './load.ts';
import { fileName, secret } from './marks.ts';
import type { Finding } from './problems.ts';
import type { Env } from './secret.ts';

const spool = section(
  {
    enabled: z
      .boolean()
      .default(true)
      .describe('Take requests while Kafka cannot. Off: they are answered "later" then.'),
    dir: z
      .string()
      .default('.email-events/spool')
      .describe(
        'Folder on a disk that outlives the process. All ingress processes of a machine may share it.',
      ),
    maxBytes: z
      .int()
      .min(16_777_216)
      .default(1_073_741_824)
      .describe('Bytes that the folder may take; beyond it the answer is "later".'),
    afterMs: ms(2_000, 'Time without an acknowledgement by Kafka after which a request is spooled.'),
  },
  'Requests on disk while Kafka is away.',
);

const ingress = section(
  {
    host: z.string().default('127.0.0.1').describe('Address to listen on.'),
    port: port(8080, 'Port of the webhooks.'),
    adminPort: adminPort(
      9080,
      'Port of /healthz, /readyz and /metrics, on loopback unless adminHost says otherwise.',
    ),
    tls: z
      .strictObject({
        certFile: fileName('PEM file of the certificate chain; read again when it changes.'),
        keyFile: fileName('PEM file of the key.'),
      })
      .optional()
      .describe('Serve HTTPS; leave out behind a proxy that does.'),
    trustedProxies: z
      .array(z.string())
      .default([])
      .describe('Addresses (CIDR) whose X-Forwarded-For and X-Forwarded-Proto, or Forwarded, are believed.'),
    proxyHeaders: z
      .enum(['any', 'x-forwarded', 'forwarded'])
      .default('any')
      .describe(
        'Which of these the trusted proxies write: X-Forwarded-*, Forwarded (RFC 7239), or any: Forwarded where there is no X-Forwarded-*. With a proxy that writes Forwarded and passes on the X-Forwarded-* of senders, say forwarded.',
      ),
    fetchFromPrivate: z
      .boolean()
      .default(false)
      .describe(
        'Certificates of SNS may be fetched from private addresses: for an ingress that reaches SNS by an endpoint of its own network.',
      ),
    reusePort: z
      .boolean()
      .default(false)
      .describe('Several processes of one host may listen on the port; the system spreads connections.'),
    maxConnections: count(
      2_000,
      'Open connections; beyond it the one that keeps the server waiting longest gives way to the new one.',
    ),
    maxInFlightBytes: count(
      67_108_864,
      'Bytes of bodies being received or waiting for the broker; beyond it the answer is "later".',
    ),
    maxBytesPerSecond: z
      .optional(z.int().min(1))
      .describe(
        'Bytes of genuine bodies a second of this process; beyond it the accounts that send most get 429, each held to the same rate. Leave out for no limit.',
      ),
    headersTimeoutMs: ms(10_000, 'Time to receive the headers.'),
    requestTimeoutMs: ms(30_000, 'Time to receive a whole request.'),
    keepAliveTimeoutMs: ms(60_000, 'Idle time of a kept connection.'),
    publishTimeoutMs: ms(10_000, 'Time for the broker to acknowledge; beyond it the answer is "later".'),
    spool,
    drainDelayMs: z
      .int()
      .min(0)
      .default(0)
      .describe(
        'Time after SIGTERM in which it is not ready but still takes requests: what a balancer needs to notice. Milliseconds.',
      ),
  },
  'The ingress.',
);

const normalize = section(
  {
    adminPort: adminPort(9081),
    concurrency: count(3, 'Partitions handled at a time.'),
    maxItems: count(10_000, 'Items that a request may have. One with more is a dead letter as a whole.'),
    maxEvents: count(
      10_000,
      'Events that a request may come to: items with several recipients give several. More: a dead letter as a whole.',
    ),
    maxOutputBytes: count(
      8_388_608,
      'Bytes that the events of a request may come to. More: a dead letter as a whole.',
    ),
    maxOutputRatio: count(
      20,
      'The same as a multiple of what was received, where it comes to more than half a megabyte.',
    ),
    maxDeadLetters: count(
      100,
      'Items of a request that are dead letters one by one. More are one dead letter; what can be read comes out.',
    ),
    maxTransactionBytes: count(
      16_777_216,
      'Bytes of output after which a transaction takes no further request.',
    ),
    maxFutureMinutes: count(
      10,
      'Minutes by which the time of an event may be after its receipt. More: it is taken to have happened at the receipt.',
    ),
    maxAgeDays: count(
      400,
      'Days by which the time of an event may be before its receipt. More: it is taken to have happened so many days before.',
    ),
  },
  'The normalize processor.',
);

const events = section(
  {
    adminPort: adminPort(9082),
    concurrency: count(3, 'Partitions handled at a time.'),
    stateDir: z
      .string()
      .default('.email-events/state')
      .describe('Folder of the local stores. Losing it costs a restore, nothing else.'),
    softBounces: section(
      {
        threshold: z
          .int()
          .min(1)
          .max(32)
          .default(5)
          .describe('Consecutive soft bounces that suppress a recipient.'),
        windowDays: count(30, 'Days within which they must fall.'),
      },
      'When soft bounces suppress.',
    ),
  },
  'The events processor: dedupe, suppress, route.',
);

const clickhouse = section(
  {
    adminPort: adminPort(9083),
    url: address().default('http://127.0.0.1:8123').describe('HTTP interface.'),
    database: z.string().default('email').describe('Database.'),
    username: z.string().default('default').describe('User name.'),
    password: secret('Password.').optional(),
    cluster: z
      .string()
      .optional()
      .describe('Cluster name: migrations run ON CLUSTER with replicated engines.'),
    batchRows: count(10_000, 'Rows after which a lane is written.'),
    batchBytes: count(16_777_216, 'Bytes after which a lane is written.'),
    flushMs: ms(1_000, 'Age of the oldest row after which a lane is written.'),
    concurrency: count(2, 'Inserts at a time.'),
  },
  'Analytics in ClickHouse.',
);

const crm = z
  .strictObject({
    adminPort: adminPort(9084),
    kind: z
      .string()
      .regex(NAME, 'must be lower-case letters, digits and hyphens, at most 63')
      .default('http')
      .describe('CRM: the name of its adapter, from the table in sinks/crm.'),
    url: z.url().optional().describe('Where the CRM is; leave out for the default of its kind.'),
    secrets: z
      .array(secret('A secret that the CRM knows.'))
      .default([])
      .describe('What the CRM knows the pipeline by, newest first.'),
    options: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('What else the kind needs, from the same table.'),
    timeoutMs: ms(10_000, 'Time for the CRM to answer.'),
    concurrency: count(8, 'Recipients written at a time.'),
    dryRun: z.boolean().default(false).describe('Log what would be sent, send nothing.'),
  })
  .optional()
  .describe('Suppressions to the CRM; leave out for none.');

type IngressConfig = ConfigWith<'ingress', typeof ingress>;

/** Times that do not go together. */
function timeFindings({ ingress }: IngressConfig): Finding[] {
  const { headersTimeoutMs, requestTimeoutMs, publishTimeoutMs, spool } = ingress;
  const found: Finding[] = [];
  if (headersTimeoutMs > requestTimeoutMs) {
    const message = 'longer than ingress.requestTimeoutMs, which the headers are part of: that one holds';
    const compared = ['ingress.requestTimeoutMs'];
    found.push({ level: 'warn', path: 'ingress.headersTimeoutMs', message, compared });
  }
  if (spool.enabled && spool.afterMs >= publishTimeoutMs) {
    const message =
      'not before ingress.publishTimeoutMs: requests would be answered "later" and never be spooled';
    const compared = ['ingress.publishTimeoutMs', 'ingress.spool.enabled'];
    found.push({ level: 'refuse', path: 'ingress.spool.afterMs', message, compared });
  }
  return found;
}

/** Bodies that are allowed and would find no room. */
function limitFindings({ ingress, sources }: IngressConfig): Finding[] {
  const { maxInFlightBytes, spool } = ingress;
  return Object.entries(sources).flatMap(([name, { maxBodyBytes }]) => {
    const path = `sources.${name}.maxBodyBytes`;
    const found: Finding[] = [];
    // What an ESP sends at most, its adapter knows: config-check.ts.
    if (maxBodyBytes === undefined) return found;
    if (maxBodyBytes > maxInFlightBytes) {
      const message = `a body of ${maxBodyBytes} bytes never fits into ingress.maxInFlightBytes (${maxInFlightBytes}): it would be told to come again for ever`;
      found.push({ level: 'refuse', path, message, compared: ['ingress.maxInFlightBytes'] });
    }
    if (spool.enabled && maxBodyBytes > spool.maxBytes) {
      const message = `a body of ${maxBodyBytes} bytes never fits into ingress.spool.maxBytes (${spool.maxBytes})`;
      const compared = ['ingress.spool.maxBytes', 'ingress.spool.enabled'];
      found.push({ level: 'refuse', path, message, compared });
    }
    return found;
  });
}

const parts = [
  {
    section: 'ingress',
    config: ingress,
    ports: { port: 'host' },
    findings: (config: IngressConfig) => [...timeFindings(config), ...limitFindings(config)],
  },
  { section: 'normalize', config: normalize },
  { section: 'events', config: events },
  {
    section: 'sinks.clickhouse',
    config: clickhouse,
    findings: (config: ConfigWith<'sinks.clickhouse', typeof clickhouse>) =>
      passwordFindings('sinks.clickhouse', config.sinks.clickhouse, config),
  },
  { section: 'sinks.crm', config: crm },
] as const;

export type PipelineConfig = ComposedConfig<typeof parts>;

export const pipelineConfig = composeConfig(parts);

export type AnyUse = ConfigUse<PipelineConfig> & { readonly schema?: ConfigSchema<PipelineConfig> };
const readerOf = ({ schema }: AnyUse) => (schema ? configReader(schema) : pipelineConfig);

export const loadConfig = (file: string | undefined, env: Env = process.env, use: AnyUse = {}) =>
  readerOf(use).load(file, env, use);
export const parseConfig = (data: unknown, env: Env = {}, use: AnyUse = {}) =>
  readerOf(use).parse(data, env, use);
export const examineConfig = (file: string | undefined, env: Env = process.env, use: AnyUse = {}) =>
  readerOf(use).examine(file, env, use);
export const configJsonSchema = pipelineConfig.schema.json;
