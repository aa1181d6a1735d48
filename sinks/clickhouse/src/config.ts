import {
  address,
  adminPort,
  type ConfigWith,
  count,
  ms,
  secret,
  section,
  z,
} from '@email-events/core/config';

export const SERVICE = 'sink-clickhouse';

/** A second and table. Each is a part, which ClickHouse has to merge, and takes a place in the memory of its table (migrate.ts). */
export const MOST_INSERTS = 20;
/**
 * By how much the inserts of a lane may be ahead of its share, but for one a batch. Milliseconds. Events of long ago are an insert a month:
 * without this, one account that sends such events would hold up the others of the lane.
 */
export const INSERTS_AHEAD_MS = 1_800_000;

const keepDays = (what: string) =>
  z
    .int()
    .min(1)
    .max(36_500)
    .optional()
    .describe(`${what}. For good, unless it is set; \`clickhouse migrate\` applies a change.`);

export const clickhouseSection = section(
  {
    adminPort: adminPort(9083),
    url: address().default('http://127.0.0.1:8123').describe('HTTP interface.'),
    database: z.string().default('email').describe('Database.'),
    username: z.string().default('default').describe('User name.'),
    password: secret('Password.').optional(),
    cluster: z
      .string()
      .optional()
      .describe('Cluster of the replicas of one shard: migrations run ON CLUSTER with replicated engines.'),
    batchRows: count(10_000, 'Rows after which a lane is written.'),
    batchBytes: count(16_777_216, 'Bytes after which a lane is written.'),
    flushMs: ms(
      20,
      'Age of the oldest row after which a lane is written, as soon as insertsPerSecond lets it.',
    ),
    insertsPerSecond: z
      .int()
      .min(1)
      .max(MOST_INSERTS)
      .default(MOST_INSERTS)
      .describe('Inserts a second into a table, by all instances together.'),
    concurrency: count(2, 'Inserts at a time.'),
    keepEventsDays: keepDays('Days for which events are kept, from when they happened'),
    keepMessagesDays: keepDays('Days for which messages are kept, from their first event'),
    keepDeadLettersDays: keepDays('Days for which dead letters are kept, from the last failure'),
    pseudonyms: section(
      {
        enabled: z
          .boolean()
          .default(false)
          .describe(
            'Store a keyed hash (the first of erasure.keys) in place of recipients, and neither addresses nor user agents of clients; new rows only.',
          ),
        keep: z
          .array(
            z.string().regex(/^(?:subject|metadata\.\S(?:.*\S)?)$/s, 'must be subject or metadata.<key>'),
          )
          .default([])
          .describe('Of what may name a person, what is stored all the same: subject, metadata.<key>.'),
      },
      'Analytics that name nobody.',
    ),
  },
  'Analytics in ClickHouse.',
);

export type ClickHouseConfig = ConfigWith<'sinks.clickhouse', typeof clickhouseSection>;
