import { createHash } from 'node:crypto';
import { PipelineError } from '@email-events/core/errors';
import { type Relation, relationsOf } from '@email-events/sink-clickhouse';

/** A user of ClickHouse who may read the analytics, and how much of the server each query of theirs may take. */
export interface Analyst {
  /** Also the name of an element, so letters, digits and _ only. */
  readonly user: string;
  readonly database: string;
  /** Undefined: none, and only from this machine. */
  readonly password?: string;
  /** Undefined: every row. Else only those of these webhooks. */
  readonly sources?: readonly string[];
  /** Addresses or networks that the user may come from; none: any, of those with a password. */
  readonly networks: readonly string[];
  /** MiB of a query. All queries of the user together may take twice that. */
  readonly memory: number;
  /** Seconds of a query. */
  readonly seconds: number;
  /** Rows of a result. */
  readonly rows: number;
  /** Rows that a query may read. */
  readonly readRows: number;
  /** Cores of a query. */
  readonly threads: number;
  /** Queries at a time. */
  readonly queries: number;
}

/**
 * `dead_letters` hold bytes of requests. `message_states` is for releases that read a table there; no view needs it. In a file that is made before
 * `migrate`, what is granted as a view would be the table that it still is, with rows of all sources.
 */
const NOT_FOR_ANALYSTS = ['dead_letters', 'message_states'];
/** Thresholds by which views judge: they say nothing of anybody. */
const OF_NOBODY = ['reaction_settings'];

/**
 * A file for `users.d` of a ClickHouse server, seen on 26.7: a profile, a quota and the user. `readonly` is 1, in which no setting can be
 * changed but those that the profile names, so a limit that is not thought of here cannot be raised either.
 */
export function analystXml(analyst: Analyst, relations: readonly Relation[] = relationsOf()): string {
  checkNames(analyst);
  const { user } = analyst;
  return `<?xml version="1.0"?>
<!-- By \`email-events clickhouse access\`: make it again after an upgrade, since new tables and views are not granted by themselves. -->
<clickhouse>
  <profiles>
    <${user}>
${profileXml(analyst)}
    </${user}>
  </profiles>
  <quotas>
    <${user}>
      <!-- In an hour: what a loop that nobody stops may take. -->
      <interval>
        <duration>3600</duration>
        <queries>20000</queries>
        <execution_time>${analyst.queries * 3_600}</execution_time>
      </interval>
    </${user}>
  </quotas>
  <users>
    <${user}>
${userXml(analyst, relations)}
    </${user}>
  </users>
</clickhouse>
`;
}

function checkNames({ user, database, sources = [] }: Analyst): void {
  const wrong = (message: string) => {
    throw new PipelineError('CLI_USAGE', 'reject', message);
  };
  if (!/^[A-Za-z_]\w{0,62}$/.test(user) || user === 'default')
    wrong(`"${user}" cannot be a user: letters, digits and _, and not default`);
  if (!/^[A-Za-z_]\w*$/.test(database))
    wrong(`rows by source need a database of letters, digits and _: ${database}`);
  if (sources.some((source) => !/^[\w.-]+$/.test(source))) wrong('a source is named as in the configuration');
}

/** Limits of a query, each with what else it may be set to. 0 would be none, so it is below every bound. */
function limitsOf(analyst: Analyst): [setting: string, value: number][] {
  const bytes = analyst.memory * 1_048_576;
  return [
    ['max_memory_usage', bytes],
    ['max_execution_time', analyst.seconds],
    ['max_result_rows', analyst.rows],
    ['max_result_bytes', bytes],
    ['max_rows_to_read', analyst.readRows],
    ['max_threads', analyst.threads],
    ['max_block_size', 65_536],
  ];
}

/** What tools set for themselves (our command line, the play page, Grafana, drivers). None of it is about how much a query may take. */
const FREE = [
  'add_http_cors_header',
  'asterisk_include_alias_columns',
  'cancel_http_readonly_queries_on_client_close',
  'date_time_input_format',
  'date_time_output_format',
  'enable_http_compression',
  'enable_reads_from_query_cache',
  'enable_writes_to_query_cache',
  'extremes',
  'format_csv_delimiter',
  'group_by_use_nulls',
  'http_headers_progress_interval_ms',
  'http_write_exception_in_output_format',
  'join_use_nulls',
  'log_comment',
  'output_format_json_quote_64bit_floats',
  'output_format_json_quote_64bit_integers',
  'output_format_json_quote_denormals',
  'prefer_column_name_to_alias',
  'query_cache_nondeterministic_function_handling',
  'query_cache_system_table_handling',
  'query_cache_ttl',
  'result_overflow_mode',
  'send_progress_in_http_headers',
  'session_timezone',
  'use_query_cache',
];

function profileXml(analyst: Analyst): string {
  const bytes = analyst.memory * 1_048_576;
  const limits = limitsOf(analyst);
  const fixed: [string, string | number][] = [
    ['readonly', 1],
    ['max_memory_usage_for_user', 2 * bytes],
    ['max_concurrent_queries_for_user', analyst.queries],
    // Sorting and grouping go to the disk first, a bounded part of it.
    ['max_bytes_before_external_group_by', Math.floor(bytes / 2)],
    ['max_bytes_before_external_sort', Math.floor(bytes / 2)],
    ['max_temporary_data_on_disk_size_for_user', 8 * bytes],
    // A query is stopped when its time is over, not by a guess of how long it would take.
    ['timeout_before_checking_execution_speed', 0],
    ['timeout_overflow_mode', 'throw'],
    ['read_overflow_mode', 'throw'],
    ['result_overflow_mode', 'throw'],
    // Answers that are kept for a while (the play page does), up to here.
    ['query_cache_max_size_in_bytes', 67_108_864],
    ['query_cache_max_entries', 200],
    // After the sink.
    ['priority', 10],
    ['log_queries', 1],
  ];
  return [
    ...[...fixed, ...limits].map(([name, value]) => `      <${name}>${value}</${name}>`),
    '      <constraints>',
    ...limits.map(
      ([name, value]) =>
        `        <${name}><min>1</min><max>${value}</max><changeable_in_readonly/></${name}>`,
    ),
    ...FREE.map((name) => `        <${name}><changeable_in_readonly/></${name}>`),
    '      </constraints>',
  ].join('\n');
}

function userXml(analyst: Analyst, relations: readonly Relation[]): string {
  const { user, password, database, sources } = analyst;
  const proof =
    password === undefined
      ? '<no_password/>'
      : `<password_sha256_hex>${createHash('sha256').update(password).digest('hex')}</password_sha256_hex>`;
  const networks =
    analyst.networks.length > 0 ? analyst.networks : password === undefined ? ['127.0.0.1', '::1'] : ['::/0'];
  const open = relations.filter(({ name }) => !NOT_FOR_ANALYSTS.includes(name));
  // A table whose rows are not of one source each cannot be shown in part. A view shows what its reader may read of the tables.
  const readable = open.filter(
    ({ name, kind, bySource }) => !sources || kind === 'view' || bySource || OF_NOBODY.includes(name),
  );
  return [
    ...[proof, `<profile>${user}</profile>`, `<quota>${user}</quota>`].map((line) => `      ${line}`),
    `      <networks>${networks.map((network) => `<ip>${escaped(network)}</ip>`).join('')}</networks>`,
    '      <grants>',
    ...readable.map(
      ({ name }) =>
        `        <query>GRANT SELECT ON ${escaped(`${quoted(database)}.${quoted(name)}`)}</query>`,
    ),
    '      </grants>',
    ...(sources ? filtersXml(database, sources, readable) : []),
  ].join('\n');
}

function filtersXml(database: string, sources: readonly string[], readable: readonly Relation[]): string[] {
  const filter = escaped(`source IN (${sources.map((source) => `'${source}'`).join(', ')})`);
  return [
    `      <databases><${database}>`,
    ...readable
      .filter(({ kind, bySource }) => kind === 'table' && bySource)
      .map(({ name }) => `        <${name}><filter>${filter}</filter></${name}>`),
    `      </${database}></databases>`,
  ];
}

const quoted = (name: string) => `\`${name}\``;
const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
