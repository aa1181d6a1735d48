import { Readable } from 'node:stream';
import {
  type ClickHouseClient,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
  drainStream,
} from '@clickhouse/client';
import type { ClickHouseConfig } from './config.ts';

/** Where ClickHouse is: `sinks.clickhouse` of the configuration, or the part of it that addresses. */
export type ClickHouseAddress = Pick<
  ClickHouseConfig['sinks']['clickhouse'],
  'url' | 'database' | 'username'
> &
  Partial<
    Pick<
      ClickHouseConfig['sinks']['clickhouse'],
      'password' | 'cluster' | 'concurrency' | 'keepEventsDays' | 'keepMessagesDays' | 'keepDeadLettersDays'
    >
  >;

/** Values for placeholders such as {campaign:String} in a query. */
export type QueryParameters = Readonly<Record<string, unknown>>;

/** Quotes a name for a statement. */
export const quoted = (name: string) => `\`${name.replaceAll('`', '\\`')}\``;

/** The one way to ClickHouse. Errors of the server are ClickHouseError with its numeric code, as text. */
export interface ClickHouse {
  /** Rows of a SELECT. 64-bit integers come as text: a JavaScript number cannot hold them. */
  query<Row>(sql: string, parameters?: QueryParameters): Promise<Row[]>;
  /** A statement without rows, such as DDL. A minute, unless a deadline of milliseconds is given. `settings`: of the server, for it alone. */
  command(
    sql: string,
    signal?: AbortSignal,
    deadlineMs?: number,
    settings?: ClickHouseSettings,
  ): Promise<void>;
  /** An INSERT statement that ends with its format, and the bytes in that format. Resolves when the server has them. */
  insert(
    sql: string,
    data: Iterable<Buffer>,
    settings: ClickHouseSettings,
    signal: AbortSignal,
  ): Promise<void>;
  /** Whether it answers at all. */
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

/** For any request. Inserts have shorter deadlines (insert.ts). */
const REQUEST_MS = 900_000;
const QUERY_MS = 60_000;

/** Connects when it is first used. Names without a database are of the configured one. */
export function connect(address: ClickHouseAddress): ClickHouse {
  const { url, database, username, password, concurrency = 2 } = address;
  const client = createClient({
    url,
    database,
    username,
    ...(password ? { password: password.reveal() } : {}),
    application: 'email-events',
    // Errors reach the caller, who logs them.
    log: { level: ClickHouseLogLevel.OFF },
    request_timeout: REQUEST_MS,
    // Inserts, a migration or report beside them, and the check of readiness.
    max_open_connections: concurrency + 3,
    // The server closes idle connections after its time-out: close them before it does.
    keep_alive: { enabled: true, idle_socket_ttl: 2_500 },
    compression: { request: false, response: false },
    clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
  });
  return new HttpClickHouse(client);
}

class HttpClickHouse implements ClickHouse {
  private readonly client: ClickHouseClient;

  constructor(client: ClickHouseClient) {
    this.client = client;
  }

  async query<Row>(sql: string, parameters: QueryParameters = {}): Promise<Row[]> {
    const result = await this.client.query({
      query: sql,
      format: 'JSONEachRow',
      query_params: { ...parameters },
      abort_signal: AbortSignal.timeout(QUERY_MS),
    });
    return result.json<Row>();
  }

  async command(
    sql: string,
    signal?: AbortSignal,
    deadlineMs = QUERY_MS,
    settings: ClickHouseSettings = {},
  ): Promise<void> {
    const late = AbortSignal.timeout(deadlineMs);
    await this.client.command({
      query: sql,
      clickhouse_settings: settings,
      abort_signal: signal ? AbortSignal.any([signal, late]) : late,
    });
  }

  async insert(
    sql: string,
    data: Iterable<Buffer>,
    settings: ClickHouseSettings,
    signal: AbortSignal,
  ): Promise<void> {
    const { stream } = await this.client.exec({
      query: sql,
      values: Readable.from(data, { objectMode: false }),
      clickhouse_settings: settings,
      abort_signal: signal,
    });
    await drainStream(stream);
  }

  async ping(): Promise<boolean> {
    const { success } = await this.client.ping();
    return success;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
