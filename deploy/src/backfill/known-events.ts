import type { EmailEvent } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';

/** What ClickHouse says of events, by event id. */
export interface KnownEvents {
  readonly ids: ReadonlySet<string>;
  /** Of these, those that today's mapping would write differently. Empty unless asked for. */
  readonly different: ReadonlySet<string>;
}

/** Ids of one query: its text stays below ClickHouse's default limit of 256 KiB. */
const QUERY_IDS = 6_000;

/** Fields that a mapping decides, as far as reports use them. */
const COMPARED = [
  'esp_event_type',
  'message_id',
  'sender',
  'subject',
  'campaign',
  'variant',
  'stream',
  'tags',
  'metadata',
  'smtp_code',
  'enhanced_status',
  'diagnostic',
  'bounce_class',
  'bounce_category',
  'drop_reason',
  'is_machine',
  'url',
  'feedback_type',
  'scope',
] as const satisfies readonly (keyof EmailEvent)[];

/**
 * Which of these events ClickHouse holds. The table is sorted by type, ESP and hour, so most are found in the hours they
 * say they are of; only for the rest, whose time a mapping may have changed, all hours are searched.
 */
export async function knownEvents(
  clickhouse: ClickHouse,
  events: readonly EmailEvent[],
  compare: boolean,
): Promise<KnownEvents> {
  const [ids, different] = [new Set<string>(), new Set<string>()];
  const byId = new Map(events.map((event) => [event.event_id, event]));
  for (const anyTime of [false, true]) {
    const left = [...byId.values()].filter(({ event_id }) => !ids.has(event_id));
    for (let start = 0; start < left.length; start += QUERY_IDS) {
      const rows = await lookUp(clickhouse, left.slice(start, start + QUERY_IDS), { anyTime, compare });
      for (const row of rows) {
        ids.add(row.event_id);
        if (compare && differs(row, byId.get(row.event_id))) different.add(row.event_id);
      }
    }
  }
  return { ids, different };
}

/** When the first event was received that ClickHouse holds; null if it holds none. Epoch milliseconds. */
export async function oldestKnown(clickhouse: ClickHouse): Promise<number | null> {
  const [row] = await clickhouse.query<{ n: string; at: string }>(
    'SELECT count() AS n, toUnixTimestamp64Milli(min(received_at)) AS at FROM email_events',
  );
  return row && Number(row.n) > 0 ? Number(row.at) : null;
}

interface KnownRow extends Readonly<Record<string, unknown>> {
  readonly event_id: string;
  readonly at: string;
}

function lookUp(
  clickhouse: ClickHouse,
  events: readonly EmailEvent[],
  { anyTime, compare }: { anyTime: boolean; compare: boolean },
): Promise<KnownRow[]> {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { occurred_at } of events) {
    from = Math.min(from, occurred_at);
    to = Math.max(to, occurred_at);
  }
  const among = (field: 'type' | 'esp' | 'event_id') =>
    `${field} IN (${[...new Set(events.map((event) => quote(event[field])))].join(', ')})`;
  const conditions = [among('type'), among('esp'), among('event_id')];
  if (!anyTime) {
    const time = (ms: number) => `fromUnixTimestamp64Milli(${ms}, 'UTC')`;
    conditions.push(`occurred_at BETWEEN ${time(from)} AND ${time(to)}`);
  }
  const columns = ['event_id', 'toUnixTimestamp64Milli(occurred_at) AS at', ...(compare ? COMPARED : [])];
  return clickhouse.query<KnownRow>(
    `SELECT ${columns.join(', ')} FROM email_events WHERE ${conditions.join(' AND ')}`,
  );
}

/** Our own names and hex digits; quoted all the same. */
const quote = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;

function differs(row: KnownRow, event: EmailEvent | undefined): boolean {
  if (!event) return false;
  return (
    Number(row.at) !== event.occurred_at || COMPARED.some((name) => text(row[name]) !== text(event[name]))
  );
}

/** What a field says, whichever side it comes from. */
function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
