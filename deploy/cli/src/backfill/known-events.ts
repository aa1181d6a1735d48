import type { EmailEvent } from '@email-events/schemas';
import type { ClickHouse, Hiding } from '@email-events/sink-clickhouse';

/** Events that ClickHouse holds, by event id. */
export interface KnownEvents {
  /** Those that came out, under this id or under another that a copy may have been given. */
  readonly ids: ReadonlySet<string>;
  /** Of these, those that today's mapping would write differently: what came out, and in which fields it differs. Empty unless asked for. */
  readonly different: ReadonlyMap<string, Difference>;
  /** Of these, those that came out as another type, and not yet as today's. */
  readonly retyped: ReadonlyMap<string, Former>;
}

/** What came out in place of an event of today. */
export interface Former {
  /** Id of its row, which its mark has. */
  readonly cameOutAs: string;
  /** Id that it has in Kafka: of rows that name nobody, another one. */
  readonly name: string;
  readonly type: string;
}

/** How what came out differs from what today's mapping says of the same item. */
export interface Difference {
  /** Id under which it came out. */
  readonly cameOutAs: string;
  readonly fields: readonly { readonly name: string; readonly before: string; readonly now: string }[];
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

export interface KnownOptions {
  /** Whether what came out is compared with what today's mapping says. */
  readonly compare: boolean;
  /** In how many ways rows may name nobody. */
  readonly hidings: readonly Hiding[];
}

/** An event under one of the names that its row may have. */
interface Named {
  readonly id: string;
  /** In Kafka. */
  readonly name: string;
  readonly event: EmailEvent;
  /** Under its own id, not another that a copy may have been given. */
  readonly isOwn: boolean;
  readonly hiding: Hiding | undefined;
}

/**
 * Which of these events ClickHouse holds. The table is sorted by type, ESP and hour, so most are found in the hours they
 * say they are of; only for the rest, whose time a mapping may have changed, all hours are searched.
 */
export async function knownEvents(
  clickhouse: ClickHouse,
  events: readonly EmailEvent[],
  { compare, hidings }: KnownOptions,
): Promise<KnownEvents> {
  const ids = new Set<string>();
  const different = new Map<string, Difference>();
  const retyped = new Map<string, Former>();
  const itself = new Set<string>();
  // Several may be known as one: an item that is several events today and was one, and copies in other requests.
  const named = events.flatMap((event) =>
    [event.event_id, ...event.known_as].flatMap((name) =>
      [undefined, ...hidings].map((hiding): Named => {
        return { id: hiding?.id(name) ?? name, name, event, isOwn: name === event.event_id, hiding };
      }),
    ),
  );
  const byName = Map.groupBy(named, ({ id }) => id);
  for (const anyTime of [false, true]) {
    // One that came out under another id may have come out under its own since.
    const left = named.filter(
      ({ event: { event_id } }) => !ids.has(event_id) || (anyTime && retyped.has(event_id)),
    );
    for (let start = 0; start < left.length; start += QUERY_IDS) {
      const rows = await lookUp(clickhouse, left.slice(start, start + QUERY_IDS), { anyTime, compare });
      for (const row of rows)
        for (const { event, name, isOwn, hiding } of byName.get(row.event_id) ?? []) {
          ids.add(event.event_id);
          if (isOwn) itself.add(event.event_id);
          // Another request told of the same event, in its own words: what came out is not a reading of this one.
          if (row.request_id !== event.request_id || Number(row.item_index) !== event.item_index) continue;
          const { event_id: cameOutAs, type } = row;
          if (type !== event.type) retyped.set(event.event_id, { cameOutAs, name, type });
          const fields = compare ? differences(row, hiding?.event(event, null) ?? event) : [];
          if (fields.length > 0) different.set(event.event_id, { cameOutAs, fields });
        }
    }
  }
  // It came out a second time, in place of what it was.
  for (const id of itself) {
    retyped.delete(id);
    const cameOutAs = different.get(id)?.cameOutAs ?? '';
    if (!byName.get(cameOutAs)?.some(({ event, isOwn }) => isOwn && event.event_id === id))
      different.delete(id);
  }
  return { ids, different, retyped };
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
  readonly type: string;
  readonly request_id: string;
  readonly item_index: number | string;
  readonly at: string;
}

function lookUp(
  clickhouse: ClickHouse,
  named: readonly Named[],
  { anyTime, compare }: { anyTime: boolean; compare: boolean },
): Promise<KnownRow[]> {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const {
    event: { occurred_at },
  } of named) {
    from = Math.min(from, occurred_at);
    to = Math.max(to, occurred_at);
  }
  const among = (column: string, values: readonly string[]) =>
    `${column} IN (${[...new Set(values)].map(quote).join(', ')})`;
  const conditions = [
    among(
      'esp',
      named.map(({ event }) => event.esp),
    ),
    among(
      'event_id',
      named.map(({ id }) => id),
    ),
  ];
  // Under another id it may have come out as another type.
  if (named.every(({ isOwn }) => isOwn))
    conditions.push(
      among(
        'type',
        named.map(({ event }) => event.type),
      ),
    );
  if (!anyTime) {
    const time = (ms: number) => `fromUnixTimestamp64Milli(${ms}, 'UTC')`;
    conditions.push(`occurred_at BETWEEN ${time(from)} AND ${time(to)}`);
  }
  const columns = [
    'event_id',
    'type',
    'request_id',
    'item_index',
    'toUnixTimestamp64Milli(occurred_at) AS at',
    ...(compare ? COMPARED : []),
  ];
  return clickhouse.query<KnownRow>(
    `SELECT ${columns.join(', ')} FROM email_events WHERE ${conditions.join(' AND ')}`,
  );
}

/** Our own names and hex digits; quoted all the same. */
const quote = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;

function differences(row: KnownRow, event: EmailEvent): Difference['fields'] {
  const at = { name: 'occurred_at', before: iso(Number(row.at)), now: iso(event.occurred_at) };
  const others = COMPARED.map((name) => ({ name, before: text(row[name]), now: text(event[name]) }));
  const type = { name: 'type', before: row.type, now: event.type };
  return [type, at, ...others].filter(({ before, now }) => before !== now);
}

const iso = (time: number) => (Number.isFinite(time) ? new Date(time).toISOString() : String(time));

/** A field in one form for both sides of a comparison: the mapping and ClickHouse. */
function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Remembers at least the last `size` ids and at most twice as many. */
export class RecentIds {
  private readonly size: number;
  private current = new Set<string>();
  private before = new Set<string>();

  constructor(size: number) {
    this.size = size;
  }

  add(id: string): void {
    this.current.add(id);
    if (this.current.size < this.size) return;
    this.before = this.current;
    this.current = new Set();
  }

  has(id: string): boolean {
    return this.current.has(id) || this.before.has(id);
  }
}
