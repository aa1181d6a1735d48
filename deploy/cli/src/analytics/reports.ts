import { PipelineError } from '@email-events/core';
import { type ClickHouse, METRICS, metricValues } from '@email-events/sink-clickhouse';

/** What a report is narrowed down to. */
export interface ReportFilter {
  /** Epoch milliseconds. */
  readonly since?: number;
  readonly esp?: string;
  readonly campaign?: string;
  /** Rows at most. */
  readonly limit: number;
}

/** How a figure is shown. `bar`: as a bar beside the others of its column, besides the number. */
export type Unit = 'text' | 'count' | 'rate' | 'seconds' | 'time' | 'bar';

export interface ReportColumn {
  readonly name: string;
  readonly unit: Unit;
}

export interface Report {
  readonly title: string;
  readonly columns: readonly ReportColumn[];
  /** Narrows it down by these alone. */
  readonly takes: readonly (keyof ReportFilter)[];
  readonly sql: (filter: ReportFilter) => string;
}

export interface ReportTable {
  readonly columns: readonly ReportColumn[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

const texts = (...names: string[]) => names.map((name): ReportColumn => ({ name, unit: 'text' }));
const counts = (...names: string[]) => names.map((name): ReportColumn => ({ name, unit: 'count' }));
const metrics = (names: readonly string[]) =>
  names.map((name): ReportColumn => ({ name, unit: METRICS[name]?.kind ?? 'count' }));

const CAMPAIGN = [
  ...['sent', 'delivered', 'opened', 'clicked', 'complained', 'unsubscribed', 'attempted'],
  ...['delivery_rate', 'open_rate', 'click_rate', 'complaint_rate', 'unsubscribe_rate', 'time_to_open_p50'],
];
const DELIVERABILITY = [
  ...[
    'attempted',
    'delivered',
    'hard_bounced',
    'soft_bounced',
    'dropped',
    'blocked',
    'deferred',
    'complained',
    'sent',
  ],
  ...['delivery_rate', 'hard_bounce_rate', 'block_rate', 'deferral_rate', 'complaint_rate'],
];

/** By name. Figures are those of the metric dictionary, by messages; `engagement`, `bounces` count events. */
export const REPORTS: { readonly [name: string]: Report } = {
  campaign: {
    title: 'How campaigns did, the latest first',
    columns: [...texts('campaign', 'variant', 'source'), ...metrics(CAMPAIGN)],
    takes: ['since', 'esp', 'campaign', 'limit'],
    sql: (filter) => `SELECT campaign, variant, source, ${metricValues(CAMPAIGN)}
      FROM campaign_messages AS m WHERE campaign != ''${messagesWhere(filter)}
      GROUP BY campaign, variant, source ORDER BY max(m.first_at) DESC, campaign, variant, source`,
  },
  deliverability: {
    title: 'Where mail gets through, by mailbox provider and ESP',
    columns: [...texts('mailbox_provider', 'esp', 'source'), ...metrics(DELIVERABILITY)],
    takes: ['since', 'esp', 'campaign', 'limit'],
    sql: (
      filter,
    ) => `SELECT m.mailbox_provider AS mailbox_provider, m.esp AS esp, source, ${metricValues(DELIVERABILITY)}
      FROM ${filter.campaign === undefined ? 'messages' : 'campaign_messages'} AS m WHERE true${messagesWhere(filter)}
      GROUP BY mailbox_provider, esp, source ORDER BY attempted DESC, mailbox_provider, esp, source`,
  },
  bounces: {
    title: 'Why mail came back or was put off, by our reading of the server’s words',
    columns: [
      ...texts('reason', 'type', 'reason_class', 'mailbox_provider', 'esp'),
      ...counts('events', 'esp_disagrees'),
      ...texts('example'),
    ],
    takes: ['since', 'esp', 'campaign', 'limit'],
    sql: (filter) => `SELECT reason, type, reason_class, mailbox_provider, esp, sum(b.events) AS events,
        sumIf(b.events, b.class_differs OR b.category_differs) AS esp_disagrees, min(b.example) AS example
      FROM bounce_reasons AS b WHERE true${rowsWhere(filter, 'b.day >= toDate(fromUnixTimestamp64Milli({since:Int64}))')}
      GROUP BY reason, type, reason_class, mailbox_provider, esp ORDER BY events DESC, reason, mailbox_provider, esp`,
  },
  engagement: {
    title: 'When people open and click, by hour of the day, UTC',
    columns: [
      ...texts('hour_of_day'),
      ...counts('deliveries'),
      { name: 'opens', unit: 'bar' },
      { name: 'clicks', unit: 'bar' },
      ...counts('machine_opens', 'machine_clicks'),
    ],
    takes: ['since', 'esp', 'campaign', 'limit'],
    sql: (
      filter,
    ) => `SELECT leftPad(toString(toHour(h.hour)), 2, '0') AS hour_of_day, sumIf(h.events, h.type = 'delivered') AS deliveries,
        sumIf(h.events, h.type = 'opened' AND NOT h.is_machine) AS opens, sumIf(h.events, h.type = 'clicked' AND NOT h.is_machine) AS clicks,
        sumIf(h.events, h.type = 'opened' AND h.is_machine) AS machine_opens, sumIf(h.events, h.type = 'clicked' AND h.is_machine) AS machine_clicks
      FROM events_hourly AS h WHERE h.type IN ('delivered', 'opened', 'clicked')${rowsWhere(filter, 'h.hour >= toStartOfHour(fromUnixTimestamp64Milli({since:Int64}))')}
      GROUP BY hour_of_day ORDER BY hour_of_day`,
  },
  reactions: {
    title:
      'Who opened, clicked and unsubscribed: people, machines and what nothing decides, by our signs, beside the word of the ESP',
    columns: [
      ...texts('campaign', 'variant', 'source', 'type'),
      ...counts('events', 'by_person', 'by_machine', 'uncertain', 'esp_says_person', 'esp_says_machine'),
      ...counts('contradictions', 'recipients_person', 'recipients_machine_only'),
    ],
    takes: ['esp', 'campaign', 'limit'],
    sql: (
      filter,
    ) => `SELECT campaign, variant, source, type, events, by_person, by_machine, uncertain, esp_says_person, esp_says_machine,
        contradictions, recipients_person, recipients_machine_only
      FROM campaign_reactions AS c WHERE true${rowsWhere(filter, '')} ORDER BY campaign, variant, source, esp, type`,
  },
  hygiene: {
    title: 'Who may not be written to any more, by reason in force and what it holds for',
    columns: [
      ...texts('reason', 'scope', 'esp', 'source', 'mailbox_provider'),
      ...counts('recipients'),
      ...texts('newest'),
    ],
    takes: ['since', 'esp', 'limit'],
    // A recipient has a reason once for each scope, since one day: so nobody is counted twice in a row.
    sql: (
      filter,
    ) => `SELECT reason, scope, esp, source, mailbox_provider, sum(y.recipients) AS recipients, toString(max(y.day)) AS newest
      FROM list_hygiene AS y WHERE true${rowsWhere(filter, 'y.day >= toDate(fromUnixTimestamp64Milli({since:Int64}))')}
      GROUP BY reason, scope, esp, source, mailbox_provider ORDER BY recipients DESC, reason, scope, esp, source, mailbox_provider`,
  },
  freshness: {
    title: 'When each webhook was heard of last',
    columns: [
      ...texts('esp', 'source'),
      { name: 'last_occurred_at', unit: 'time' },
      { name: 'last_received_at', unit: 'time' },
      { name: 'silent_seconds', unit: 'seconds' },
      ...texts('last_type'),
    ],
    takes: ['esp', 'limit'],
    sql: (filter) => `SELECT esp, source, last_occurred_at, last_received_at, silent_seconds, last_type
      FROM source_freshness WHERE true${rowsWhere(filter, '')} ORDER BY silent_seconds DESC, esp, source`,
  },
};

/** Throws CLI_USAGE for a filter that the report does not take. */
export async function readReport(
  clickhouse: ClickHouse,
  name: string,
  filter: ReportFilter,
): Promise<ReportTable> {
  const report = Object.hasOwn(REPORTS, name) ? REPORTS[name] : undefined;
  if (!report) throw usage(`no report ${name}; there are ${Object.keys(REPORTS).join(', ')}`);
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const refused = given
    .map(([option]) => option as keyof ReportFilter)
    .filter((option) => !report.takes.includes(option));
  if (refused.length > 0) throw usage(`report ${name} does not take --${refused.join(', --')}`);
  const { since = 0, esp = '', campaign = '', limit } = filter;
  const rows = await clickhouse.query<{ [column: string]: unknown }>(
    `${report.sql(filter)} LIMIT {limit:UInt64}`,
    {
      ...{ since, esp, campaign, limit },
    },
  );
  return {
    columns: report.columns,
    rows: rows.map((row) => report.columns.map((column) => cellOf(row, column))),
  };
}

const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);

/** 64-bit integers come as text. A time without a zone is UTC. */
function cellOf(
  row: { readonly [column: string]: unknown },
  { name, unit }: ReportColumn,
): string | number | null {
  const value = row[name] ?? null;
  if (value === null) return null;
  if (unit === 'text') return String(value);
  return unit === 'time' ? `${String(value).replace(' ', 'T')}Z` : Number(value);
}

/** Of rows of `messages AS m`: by when the message was heard of first. */
const messagesWhere = (filter: ReportFilter) =>
  [
    filter.since === undefined ? '' : ' AND m.first_at >= fromUnixTimestamp64Milli({since:Int64})',
    filter.esp === undefined ? '' : ' AND m.esp = {esp:String}',
    filter.campaign === undefined ? '' : ' AND campaign = {campaign:String}',
  ].join('');

const rowsWhere = (filter: ReportFilter, since: string) =>
  [
    filter.since === undefined ? '' : ` AND ${since}`,
    filter.esp === undefined ? '' : ' AND esp = {esp:String}',
    filter.campaign === undefined ? '' : ' AND campaign = {campaign:String}',
  ].join('');
