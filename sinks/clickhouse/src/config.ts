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
      .describe('Cluster name: migrations run ON CLUSTER with replicated engines.'),
    batchRows: count(10_000, 'Rows after which a lane is written.'),
    batchBytes: count(16_777_216, 'Bytes after which a lane is written.'),
    flushMs: ms(1_000, 'Age of the oldest row after which a lane is written.'),
    concurrency: count(2, 'Inserts at a time.'),
  },
  'Analytics in ClickHouse.',
);

export type ClickHouseConfig = ConfigWith<'sinks.clickhouse', typeof clickhouseSection>;
