import type { SinkRecord } from '@email-events/core';
import {
  type DeadLetter,
  type EmailEvent,
  type EventMark,
  type EventOf,
  type EventType,
  eventTypeOf,
  recipientKey,
  type Suppression,
  topics,
} from '@email-events/schemas';

/** Values of the topics that go to ClickHouse. */
export type ClickHouseValue = EventOf[EventType] | Suppression | DeadLetter | EventMark;

/** How records of a topic become rows. */
export interface TableWriter {
  readonly table: string;
  /** In the order of the encoded row. */
  readonly columns: readonly string[];
  /** Undefined for a record without a value where one is needed. Reads the value once. */
  encode(record: SinkRecord<ClickHouseValue>): Row | undefined;
}

interface Row {
  /** Of JSONCompactEachRow. */
  readonly line: string;
  /** The time by which its table is partitioned, if it is: epoch milliseconds. */
  readonly occurredAt?: number;
}

/** Columns that every event has, then those that only some types have. Order of `encodeEvent`. */
const EVENT_COLUMNS = [
  'event_id',
  'type',
  'occurred_at',
  'occurred_at_source',
  'occurred_at_said',
  'received_at',
  'esp',
  'source',
  'account',
  'esp_event_type',
  'esp_event_id',
  'esp_message_id',
  'message_id',
  'recipient',
  'recipient_key',
  'recipient_domain',
  'sender',
  'subject',
  'campaign',
  'variant',
  'stream',
  'tags',
  'metadata',
  'request_id',
  'raw_partition',
  'raw_offset',
  'item_index',
  'smtp_response',
  'remote_mta',
  'attempt',
  'smtp_code',
  'enhanced_status',
  'diagnostic',
  'bounce_class',
  'bounce_category',
  'drop_reason',
  'user_agent',
  'ip',
  'is_machine',
  'url',
  'feedback_type',
  'scope',
  'method',
  'payload',
] as const;

const SUPPRESSION_COLUMNS = [
  'recipient',
  'suppressed',
  'reasons',
  'reason_accounts',
  'changed_at',
  'event_id',
  'revision',
  'is_deleted',
] as const;

const DEAD_LETTER_COLUMNS = [
  'stage',
  'code',
  'message',
  'attempts',
  'first_at',
  'last_at',
  'origin_topic',
  'origin_partition',
  'origin_offset',
  'item_index',
  'esp',
  'source',
  'request_id',
  'item_base64',
  'key_base64',
  'value_base64',
  'headers_base64',
  'recorded_at',
  'status',
  'status_at',
  'replays',
  'note',
] as const;

const SUPPRESSIONS: TableWriter = {
  table: 'suppressions',
  columns: SUPPRESSION_COLUMNS,
  encode: ({ key, value, timestamp }) => {
    if (value) return { line: encodeSuppression(value as Suppression) };
    // A tombstone: the recipient was erased.
    return { line: line([key ?? '', false, [], [], timestamp, '', 0, true]) };
  },
};

const DEAD_LETTERS: TableWriter = {
  table: 'dead_letters',
  columns: DEAD_LETTER_COLUMNS,
  encode: ({ value }) => (value ? { line: encodeDeadLetter(value as DeadLetter) } : undefined),
};

const EVENT_MARK_COLUMNS = [
  'event_id',
  'mark',
  'change',
  'replaced_by',
  'at',
  'by',
  'why',
  'type',
  'occurred_at',
  'received_at',
  'esp',
  'source',
  'account',
  'recipient',
  'recipient_domain',
  'campaign',
  'variant',
  'stream',
  'bounce_class',
  'is_machine',
] as const satisfies readonly (keyof EventMark)[];

/** Operators mark events as forged or superseded, and every mark is a row. The table is small and has no partitions. */
const EVENT_MARKS: TableWriter = {
  table: 'event_marks',
  columns: EVENT_MARK_COLUMNS,
  encode: ({ value }) => {
    if (!value) return undefined;
    const mark = value as EventMark;
    return { line: line(EVENT_MARK_COLUMNS.map((column) => mark[column])) };
  },
};

/** The tables, each with all columns that are written: what a check of the schema needs. */
export const TABLES: readonly Pick<TableWriter, 'table' | 'columns'>[] = [
  { table: 'email_events', columns: EVENT_COLUMNS },
  SUPPRESSIONS,
  DEAD_LETTERS,
  EVENT_MARKS,
];

/** Throws if no table is for this topic. */
export function writerOf(topic: string): TableWriter {
  if (topic === topics.suppressions) return SUPPRESSIONS;
  if (topic === topics.deadLetters) return DEAD_LETTERS;
  if (topic === topics.eventMarks) return EVENT_MARKS;
  const type = eventTypeOf(topic);
  if (!type) throw new Error(`no table is for ${topic}`);
  return {
    table: 'email_events',
    columns: EVENT_COLUMNS,
    encode: ({ key, value }) => {
      if (!value) return undefined;
      const event = value as EmailEvent;
      return { line: encodeEvent(type, key, event), occurredAt: event.occurred_at };
    },
  };
}

/**
 * Spelled out in the order of the columns, since it runs for every row: one call that serializes the whole row costs half
 * of one a column. A time is its milliseconds: for an unquoted number ClickHouse takes a DateTime64's own ticks.
 * A field that a type does not have is undefined, which becomes null.
 */
function encodeEvent(type: EventType, key: string | null, e: EmailEvent): string {
  return line([
    e.event_id,
    type,
    e.occurred_at,
    e.occurred_at_source,
    e.occurred_at_said,
    e.received_at,
    e.esp,
    e.source,
    e.account,
    e.esp_event_type,
    e.esp_event_id,
    e.esp_message_id,
    e.message_id,
    e.recipient,
    keyOf(key, e.recipient),
    e.recipient_domain,
    e.sender,
    e.subject,
    e.campaign,
    e.variant,
    e.stream,
    e.tags,
    e.metadata,
    e.request_id,
    e.raw_partition,
    e.raw_offset,
    e.item_index,
    e.smtp_response,
    e.remote_mta,
    e.attempt,
    e.smtp_code,
    e.enhanced_status,
    e.diagnostic,
    e.bounce_class,
    e.bounce_category,
    e.drop_reason,
    e.user_agent,
    e.ip,
    e.is_machine,
    e.url,
    e.feedback_type,
    e.scope,
    e.method,
    e.payload,
  ]);
}

/** Records are keyed by recipient; an event without one is keyed by something else. */
function keyOf(key: string | null, recipient: string): string {
  return recipient === '' ? '' : (key ?? recipientKey(recipient));
}

function encodeSuppression(value: Suppression): string {
  // A named tuple is an object in every JSON format, even in the compact ones.
  const reasons = value.reasons.map(({ reason, scope, since, esp, source, event_id, detail }) => {
    return { reason, scope, since, esp, source, event_id, detail };
  });
  const accounts = value.reasons.map(({ account }) => account);
  const { recipient, suppressed, changed_at, event_id, revision } = value;
  return line([recipient, suppressed, reasons, accounts, changed_at, event_id, revision, false]);
}

function encodeDeadLetter(d: DeadLetter): string {
  const headers = Object.entries(d.headers).map(([name, bytes]) => [name, base64(bytes)]);
  return line([
    d.stage,
    d.code,
    d.message,
    d.attempts,
    d.first_at,
    d.last_at,
    d.origin_topic,
    d.origin_partition,
    d.origin_offset,
    d.item_index,
    d.esp,
    d.source,
    d.request_id,
    base64(d.item),
    base64(d.key),
    base64(d.value),
    Object.fromEntries(headers),
    d.recorded_at,
    d.status,
    d.status_at,
    d.replays,
    d.note,
  ]);
}

const base64 = (bytes: Buffer | null) => bytes?.toString('base64') ?? null;
const line = (row: readonly unknown[]) => `${JSON.stringify(row)}\n`;
