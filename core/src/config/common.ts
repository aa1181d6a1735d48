import type { RegistrySettings } from '@email-events/schemas';
import { z } from 'zod';
import { address, count, ms, NAME, section } from './fields.ts';
import { fileName, secret, type WithSecrets } from './marks.ts';

/*
 * The sections that more than one service reads. Three services read `sources`: the ingress verifies requests by them, normalize finds
 * the fields of their events by them, and events decides by them what a source may suppress.
 */

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
        mechanism: z
          .enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'])
          .describe('SASL mechanism.'),
        username: z.string().describe('User name; of oauthbearer the client id.'),
        password: secret('Password; of oauthbearer the client secret.'),
        tokenUrl: address()
          .optional()
          .describe('Where oauthbearer asks for its tokens, with client credentials (RFC 6749, 4.4).'),
        scope: z.string().optional().describe('Scope of these tokens; default: what their server gives.'),
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
    quarantineBytes: z
      .int()
      .min(16_777_216)
      .default(1_073_741_824)
      .describe('Bytes that email.quarantine may take; beyond it the oldest requests go.'),
    retention: section(
      {
        rawDays: count(30, 'Days that email.raw is kept: how far backfill can look back.'),
        normalizedDays: count(7, 'Days that the internal topic is kept.'),
        seenDays: count(7, 'The dedupe window: days that an event id is remembered.'),
        eventsDays: count(14, 'Days that the typed topics are kept.'),
        deadLettersDays: count(90, 'Days that dead letters are kept.'),
        quarantineHours: count(
          72,
          'Hours that requests which failed their verification are kept: less than the dedupe window.',
        ),
        compactionDays: count(
          7,
          'Days after which Kafka drops older states of a recipient (email.suppressions, email.internal.recipient-state); the end of a state, after an erasure, stays for as long again.',
        ),
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
  quarantine: z
    .boolean()
    .default(false)
    .describe(
      'Keep requests that fail their verification for some days, credentials included, to verify them again once a wrong secret is mended (`quarantine release`). The answer is the same.',
    ),
  requestsPerSecond: z
    .number()
    .positive()
    .optional()
    .describe('Requests a second above which it gets 429; leave out for no limit.'),
});

/** In the order of the reference file: these, the sections of the services, then `closing`. */
export const opening = {
  kafka,
  registry,
  topics: topicSettings,
  sources: z
    .record(z.string().regex(NAME), source)
    .default({})
    .describe('Webhooks by name: the last part of the URL.'),
};

export const closing = {
  adminHost: z.string().default('127.0.0.1').describe('Address of the admin ports.'),
  erasure: section(
    {
      keys: z
        .array(secret('At least 32 characters. Without it the hashes are of no use.'))
        .default([])
        .describe(
          'Keys of the hashes that stand for erased addresses; the first one is used for new erasures, all of them are asked. Without one nobody can be erased.',
        ),
      graceDays: count(
        30,
        'Days after an erasure whose events are still of the mail before it, and are dropped.',
      ),
    },
    'Forgetting recipients (`erase`).',
  ),
  plaintextHosts: z
    .array(z.string().toLowerCase())
    .default([])
    .describe(
      'Hosts that may be sent a password without TLS, because the network on the way is trusted; loopback always is.',
    ),
  tracing: z
    .strictObject({
      url: address().describe(
        'Where spans are sent by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces.',
      ),
      sample: z
        .number()
        .min(0)
        .max(1)
        .default(0.01)
        .describe('Share of the requests that are traced, from the webhook to the row in ClickHouse.'),
      flushMs: ms(5_000, 'Spans are sent together, so long after the first of them.'),
    })
    .optional()
    .describe('OpenTelemetry traces; leave out for none.'),
  log: section(
    {
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('Lowest level that is logged.'),
    },
    'Logs.',
  ),
};

export const commonSchema = z.strictObject({ ...opening, ...closing });

export type CommonSection = keyof typeof commonSchema.shape;

/** The common sections, which every service gets besides its own section. */
export type CommonConfig = WithSecrets<z.output<typeof commonSchema>>;
export type SourceConfig = CommonConfig['sources'][string];

/** How the schema registry of this configuration is asked. */
export function registryOf({ registry }: Pick<CommonConfig, 'registry'>): RegistrySettings {
  return { url: registry.url, username: registry.username, password: registry.password?.reveal() };
}
