import { keyOfAddress } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';

/** A message to the recipient, as the view `messages` has it. Times are ISO 8601, null where there is none. */
export interface StoryMessage {
  readonly message: string;
  readonly messageId: string;
  readonly esp: string;
  readonly source: string;
  readonly campaign: string;
  readonly variant: string;
  readonly subject: string;
  readonly outcome:
    | 'delivered'
    | 'hard_bounced'
    | 'soft_bounced'
    | 'dropped'
    | 'deferred'
    | 'queued'
    | 'unknown';
  readonly firstAt: string;
  readonly lastAt: string;
  readonly queuedAt: string | null;
  readonly deliveredAt: string | null;
  readonly deferrals: number;
  readonly lastDeferredAt: string | null;
  readonly droppedAt: string | null;
  readonly dropReason: string;
  readonly lastBouncedAt: string | null;
  readonly bounceClass: string;
  readonly bounceCategory: string;
  readonly enhancedStatus: string;
  readonly smtpCode: number;
  readonly diagnostic: string;
  readonly opens: number;
  readonly unjudgedOpens: number;
  readonly machineOpens: number;
  readonly openedAt: string | null;
  readonly clicks: number;
  readonly unjudgedClicks: number;
  readonly machineClicks: number;
  readonly clickedAt: string | null;
  readonly complainedAt: string | null;
  readonly unsubscribedAt: string | null;
  readonly unsubscribeScope: string;
  /** What it is known from, in the order of time; the newest, if there are very many. */
  readonly events: readonly StoryEvent[];
}

export interface StoryEvent {
  readonly eventId: string;
  readonly type: string;
  readonly occurredAt: string;
  readonly detail: string;
  /** Why it counts in no report: forged or superseded; empty: it counts. */
  readonly mark: string;
  /** Where its bytes are: request, and partition, offset and item in `email.raw`. */
  readonly requestId: string;
  readonly raw: string;
}

export interface Story {
  readonly recipient: string;
  /** Undefined: nothing was ever said against mail to it, or for it again. */
  readonly suppression: { readonly suppressed: boolean; readonly reasons: readonly string[] } | undefined;
  /** The newest first. */
  readonly messages: readonly StoryMessage[];
  /** Messages there are, shown or not. */
  readonly total: number;
  /** Events of no message: subscriptions, and what the ESP says of the address. */
  readonly others: readonly StoryEvent[];
  /** There are events before those that were read, the newest `MOST_EVENTS`. */
  readonly hasEarlierEvents: boolean;
}

/** Events of one recipient that are read at most: a story with more is no story. */
export const MOST_EVENTS = 5_000;

/** A recipient of a message, and what names the message in ClickHouse. */
export interface MessageRecipient {
  readonly recipient: string;
  readonly messages: readonly string[];
}

/** What names a message, without the angle brackets of a Message-ID; empty: nothing does. */
export const messageIdOf = (text: string): string =>
  text
    .trim()
    .replace(/^<(.*)>$/, '$1')
    .trim();

/**
 * Recipients of a message, in the order of their keys, and how many there are, by any id that it has (`messageIdOf`, not empty): the ESP's, the
 * Message-ID, and the X-Message-Id of SendGrid's send API, which is the beginning of the id that its events have. Of `recipient` alone, if given: of the keys that rows may have for it.
 */
export async function recipientsOfMessage(
  clickhouse: ClickHouse,
  id: string,
  { recipient, limit }: { readonly recipient: readonly string[] | undefined; readonly limit: number },
): Promise<{ recipients: MessageRecipient[]; total: number }> {
  const only = recipient === undefined ? '' : ' AND recipient_key IN {recipient:Array(String)}';
  const find = (where: string) =>
    clickhouse.query<MessageRecipient & { readonly total: number | string }>(
      `SELECT recipient, messages, count() OVER () AS total FROM (
         SELECT recipient_key AS recipient, groupUniqArray(message) AS messages FROM message_facts
         WHERE (${where})${only} GROUP BY recipient_key
       ) ORDER BY recipient LIMIT {limit:UInt64}`,
      { id, limit, ...(recipient === undefined ? {} : { recipient }) },
    );
  const exact = await find('message = {id:String} OR message_id = {id:String}');
  const rows = exact.length > 0 ? exact : await find("startsWith(message, concat({id:String}, '.'))");
  return {
    recipients: rows.map(({ recipient: who, messages }) => ({ recipient: who, messages })),
    total: rows[0] ? Number(rows[0].total) : 0,
  };
}

/** The key by which a recipient's events are found, of an address in any spelling; one that is no address may be a key all the same. */
export const keyOf = (address: string): string => keyOfAddress(address) ?? address.trim().toLowerCase();

/** `keys`: those that rows may have for the recipient; default: it is one itself. */
export async function readStory(
  clickhouse: ClickHouse,
  recipient: string,
  {
    limit,
    messages: only,
    keys = [recipient],
  }: { readonly limit: number; readonly messages?: readonly string[]; readonly keys?: readonly string[] },
): Promise<Story> {
  const key = { keys };
  const [marks] = await clickhouse.query<{ marked: number }>(IS_MARKED, key);
  const [messages, newest, states] = await Promise.all([
    marks?.marked === 1
      ? clickhouse.query<MessageRow>(MESSAGES_WITH_MARKS, key)
      : messagesOf(clickhouse, keys),
    clickhouse.query<EventRow>(EVENTS, key),
    clickhouse.query<{ suppressed: boolean; reasons: string[] }>(SUPPRESSION, key),
  ]);
  const ofMessage = new Map<string, StoryEvent[]>();
  const others: StoryEvent[] = [];
  for (const row of newest.slice(0, MOST_EVENTS).reverse()) {
    const own = row.of_message === 1 ? (ofMessage.get(row.identity) ?? []) : others;
    own.push(eventOf(row));
    if (own !== others) ofMessage.set(row.identity, own);
  }
  const wanted = only ? messages.filter(({ message }) => only.includes(message)) : messages;
  return {
    recipient,
    suppression: states[0],
    messages: wanted.slice(0, limit).map((row) => messageOf(row, ofMessage.get(row.identity) ?? [])),
    total: wanted.length,
    others,
    hasEarlierEvents: newest.length > MOST_EVENTS,
  };
}

/** What makes a message one, as the view groups: of a message that has no name, the campaign too. */
const IDENTITY = `concat(source, '\\0', message, '\\0', if(message = '', concat(ifNull(campaign, ''), '\\0', ifNull(variant, '')), ''))`;

const messagesFrom = (rows: string) =>
  `SELECT *, ${IDENTITY} AS identity FROM ${rows} ORDER BY first_at DESC, message`;

/** It takes half of what the view of all messages takes, but may show a text that a marked event alone says. */
const MESSAGES = messagesFrom('recipient_messages(address = {key:String})');
const MESSAGES_WITH_MARKS = messagesFrom('messages WHERE recipient_key IN {keys:Array(String)}');
const IS_MARKED = 'SELECT count() > 0 AS marked FROM event_marks WHERE recipient IN {keys:Array(String)}';

/** Of each of the keys, the newest first. */
async function messagesOf(clickhouse: ClickHouse, keys: readonly string[]): Promise<MessageRow[]> {
  const all = await Promise.all(keys.map((key) => clickhouse.query<MessageRow>(MESSAGES, { key })));
  const [first = [], ...others] = all.filter((rows) => rows.length > 0);
  if (others.length === 0) return first;
  return [first, ...others].flat().sort((a, b) => (String(a.first_at) > String(b.first_at) ? -1 : 1));
}

/** Whether rows name recipients by keyed hashes, as far as a look at some of them tells: a hint, since a sender may make an address look like one. */
export async function mayHavePseudonyms(clickhouse: ClickHouse): Promise<boolean> {
  // Not bounded by a setting, which analysts may not change.
  const [row] = await clickhouse.query<{ hashed: number | string }>(
    `SELECT countIf(match(recipient_key, '^hashed:[0-9a-f]{32}(@|$)')) AS hashed
     FROM (SELECT recipient_key FROM email_events LIMIT ${LOOKED_AT})`,
  );
  return Number(row?.hashed) > 0;
}
const LOOKED_AT = 1_000_000;

/** The newest first, and one more than is shown. */
const EVENTS = `SELECT event_id, type, occurred_at, detail, mark, request_id,
    concat(toString(raw_partition), '/', toString(raw_offset), '/', toString(item_index)) AS raw,
    type NOT IN ('subscribed', 'other') AS of_message, ${IDENTITY} AS identity
  FROM recipient_timeline WHERE recipient_key IN {keys:Array(String)}
  ORDER BY occurred_at DESC, event_id DESC LIMIT ${MOST_EVENTS + 1}`;

const SUPPRESSION = `SELECT suppressed, arrayMap(r -> concat(r.reason, if(r.scope = 'all', '', concat(', ', r.scope))), reasons) AS reasons
  FROM suppressions_current WHERE recipient IN {keys:Array(String)} ORDER BY changed_at DESC LIMIT 1`;

interface MessageRow {
  readonly identity: string;
  readonly message: string;
  readonly message_id: string;
  readonly [column: string]: unknown;
}

interface EventRow {
  readonly event_id: string;
  readonly type: string;
  readonly occurred_at: string;
  readonly detail: string;
  readonly mark: string;
  readonly request_id: string;
  readonly raw: string;
  readonly of_message: number;
  readonly identity: string;
}

/** ClickHouse's times are UTC, without saying so. */
const iso = (time: unknown) => (typeof time === 'string' ? `${time.replace(' ', 'T')}Z` : null);

function eventOf({ event_id, type, occurred_at, detail, mark, request_id, raw }: EventRow): StoryEvent {
  return {
    eventId: event_id,
    type,
    occurredAt: iso(occurred_at) ?? '',
    detail,
    mark,
    requestId: request_id,
    raw,
  };
}

function messageOf(row: MessageRow, events: readonly StoryEvent[]): StoryMessage {
  const text = (name: string) => String(row[name] ?? '');
  const number = (name: string) => Number(row[name] ?? 0);
  const time = (name: string) => iso(row[name]);
  return {
    ...{ message: row.message, messageId: row.message_id, esp: text('esp'), source: text('source') },
    ...{ campaign: text('campaign'), variant: text('variant'), subject: text('subject') },
    outcome: text('outcome') as StoryMessage['outcome'],
    ...{ firstAt: time('first_at') ?? '', lastAt: time('last_at') ?? '', queuedAt: time('queued_at') },
    ...{
      deliveredAt: time('delivered_at'),
      deferrals: number('deferrals'),
      lastDeferredAt: time('last_deferred_at'),
    },
    ...{
      droppedAt: time('dropped_at'),
      dropReason: text('drop_reason'),
      lastBouncedAt: time('last_bounced_at'),
    },
    ...{ bounceClass: text('bounce_class'), bounceCategory: text('bounce_category') },
    ...{
      enhancedStatus: text('enhanced_status'),
      smtpCode: number('smtp_code'),
      diagnostic: text('diagnostic'),
    },
    ...{
      opens: number('opens'),
      unjudgedOpens: number('unjudged_opens'),
      machineOpens: number('machine_opens'),
    },
    ...{ openedAt: time('opened_at'), clicks: number('clicks'), unjudgedClicks: number('unjudged_clicks') },
    ...{ machineClicks: number('machine_clicks'), clickedAt: time('clicked_at') },
    ...{ complainedAt: time('complained_at'), unsubscribedAt: time('unsubscribed_at') },
    ...{ unsubscribeScope: text('unsubscribe_scope'), events },
  };
}
