import { z } from 'zod';
import { fileName, secret } from './marks.ts';

/** Names of sources and accounts: they stand in URLs, headers and ids. */
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

const port = (fallback: number, description: string) =>
  z.int().min(0).max(65_535).default(fallback).describe(`${description} 0: any free port.`);
const ms = (fallback: number, description: string) =>
  z.int().min(1).default(fallback).describe(`${description} Milliseconds.`);
const count = (fallback: number, description: string) =>
  z.int().min(1).default(fallback).describe(description);
/** An address shows in logs and status displays, which secrets must not. */
const address = () =>
  z.url().refine((url) => !holdsCredentials(url), {
    error: 'must not hold a user name or password: addresses show in logs',
  });
const section = <S extends z.ZodRawShape>(shape: S, description: string) =>
  z
    .strictObject(shape)
    .prefault({} as never)
    .describe(description);

const tls = section(
  {
    enabled: z.boolean().default(false).describe('Connect by TLS.'),
    caFile: fileName('PEM file of the certificate authority; default: the system’s.').optional(),
    certFile: fileName('PEM file of the client certificate.').optional(),
    keyFile: fileName('PEM file of the client key.').optional(),
  },
  'TLS to the brokers.',
);

const kafka = section(
  {
    brokers: z
      .array(z.string().min(1))
      .min(1)
      .default(['127.0.0.1:9092'])
      .describe('Bootstrap brokers, host:port.'),
    clientId: z.string().default('email-events').describe('Client id; the service name is appended.'),
    tls,
    sasl: z
      .strictObject({
        mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('SASL mechanism.'),
        username: z.string().describe('User name.'),
        password: secret('Password.'),
      })
      .optional()
      .describe('SASL credentials; leave out for none.'),
    groupPrefix: z
      .string()
      .default('email-events')
      .describe('Prefix of consumer groups and transactional ids: one per pipeline on a cluster.'),
    connectionTimeoutMs: ms(3_000, 'Time to open a connection.'),
    requestTimeoutMs: ms(15_000, 'Time for a broker to answer.'),
    sessionTimeoutMs: ms(10_000, 'Silence after which a group member counts as dead.'),
  },
  'The Kafka cluster.',
);

const registry = section(
  {
    url: address().default('http://127.0.0.1:8081').describe('Base URL of the Confluent-compatible API.'),
    username: z.string().optional().describe('User name for Basic authentication.'),
    password: secret('Password for Basic authentication.').optional(),
  },
  'The schema registry.',
);

const topicSettings = section(
  {
    rawPartitions: count(6, 'Partitions of email.raw.'),
    partitions: count(6, 'Partitions of every topic that is keyed by recipient. Fixed once there is data.'),
    deadLetterPartitions: count(1, 'Partitions of email.dead-letters.'),
    replicationFactor: count(1, 'Replicas of each partition; 3 in production.'),
    minInsyncReplicas: count(1, 'Replicas that must have a write before it counts; 2 in production.'),
    maxRequestBytes: z
      .int()
      .min(65_536)
      .max(16_777_216)
      .default(4_194_304)
      .describe(
        'Largest body of a request that email.raw takes. The max.message.bytes of email.raw and email.dead-letters follow from it.',
      ),
    retention: section(
      {
        rawDays: count(30, 'Days that email.raw is kept: how far backfill can look back.'),
        normalizedDays: count(7, 'Days that the internal topic is kept.'),
        seenDays: count(7, 'The dedupe window: days that an event id is remembered.'),
        eventsDays: count(14, 'Days that the typed topics are kept.'),
        deadLettersDays: count(90, 'Days that dead letters are kept.'),
      },
      'How long records are kept.',
    ),
  },
  'What `topics apply` creates.',
);

/** Where a field of a source is looked for; which of these an ESP reports is checked where ESPs are known. */
const FIELD_PATH = /^(?:esp|(?:metadata|tag|headers)\.\S(?:.*\S)?)$/s;
const fieldPath = z
  .string()
  .regex(FIELD_PATH, 'must be metadata.<key>, tag.<name>, headers.<name> or esp, the ESP’s own field');
const fieldPaths = (description: string) =>
  z
    .union([fieldPath, z.array(fieldPath).min(1, 'must name a path')], {
      error: 'must be a path such as metadata.campaign, or a list of them',
    })
    .optional()
    .describe(description);

const fields = z
  .strictObject({
    campaign: fieldPaths('Left out: esp, then metadata.campaign, then metadata.utm_campaign.'),
    variant: fieldPaths('A/B variant of the campaign. Left out: esp, then metadata.variant.'),
    stream: fieldPaths('List, group or kind of mail. Left out: esp, then metadata.stream.'),
    user: fieldPaths(
      'Becomes metadata.user: who the recipient is in your own system. Left out: metadata.user.',
    ),
  })
  .optional()
  .describe(
    'Where these fields are from in what you attach to a message: metadata.<key>, tag.<name> (spring of the tag campaign:spring), headers.<name>, or esp, the ESP’s own field. One path, or a list of which the first that has a value counts; esp comes last where it is not named.',
  );

const source = z.strictObject({
  esp: z.string().describe('ESP whose webhook this is.'),
  account: z
    .string()
    .regex(NAME, 'must be lower-case letters, digits and hyphens, at most 63')
    .optional()
    .describe(
      'What gives the identities of events: must be named as soon as two sources have the same ESP; never change it later.',
    ),
  suppresses: z
    .enum(['all', 'own-streams', 'nothing'])
    .default('all')
    .describe(
      'What its bounces, complaints and unsubscribes may suppress: all mail, only the streams of its own account, or nothing.',
    ),
  lifts: z
    .enum(['own', 'all'])
    .default('own')
    .describe('Whose unsubscribes its resubscriptions may lift: those of its own account, or of all.'),
  secrets: z.array(secret('A valid secret.')).default([]).describe('Valid secrets, newest first.'),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('What else the ESP needs (see the feature matrix).'),
  fields,
  verification: z
    .literal('none')
    .optional()
    .describe('`none` accepts unsigned requests; refused off loopback.'),
  allow: z.array(z.string()).default([]).describe('Addresses (CIDR) that may post; empty: any.'),
  maxBodyBytes: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Largest body, after unpacking; leave out for what the ESP sends at most (1 MiB where nothing else is known). At most topics.maxRequestBytes.',
    ),
  requestsPerSecond: z
    .number()
    .positive()
    .optional()
    .describe('Requests a second above which it gets 429; leave out for no limit.'),
});

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
    adminPort: port(
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
    adminPort: port(9081, 'Port of /healthz, /readyz and /metrics.'),
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
    adminPort: port(9082, 'Port of /healthz, /readyz and /metrics.'),
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

const sinks = section(
  {
    clickhouse: section(
      {
        adminPort: port(9083, 'Port of /healthz, /readyz and /metrics.'),
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
    ),
    crm: z
      .strictObject({
        adminPort: port(9084, 'Port of /healthz, /readyz and /metrics.'),
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
      .describe('Suppressions to the CRM; leave out for none.'),
  },
  'The sinks.',
);

/** The whole configuration. Every key has a description; the reference file and the names of environment variables are derived from it. */
export const pipelineSchema = z.strictObject({
  kafka,
  registry,
  topics: topicSettings,
  sources: z
    .record(z.string().regex(NAME), source)
    .default({})
    .describe('Webhooks by name: the last part of the URL.'),
  ingress,
  normalize,
  events,
  sinks,
  adminHost: z.string().default('127.0.0.1').describe('Address of the admin ports.'),
  plaintextHosts: z
    .array(z.string().toLowerCase())
    .default([])
    .describe(
      'Hosts that may be sent a password without TLS, because the network on the way is trusted; loopback always is.',
    ),
  log: section(
    {
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('Lowest level that is logged.'),
    },
    'Logs.',
  ),
});

function holdsCredentials(url: string): boolean {
  // What is no URL is told already.
  const parsed = URL.parse(url);
  return parsed !== null && (parsed.username !== '' || parsed.password !== '');
}
