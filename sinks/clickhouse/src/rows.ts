import type { SinkRecord } from '@email-events/core';
import {
  type DeadLetter,
  type EmailEvent,
  EVENT_TYPES,
  type EventMark,
  type EventOf,
  type EventType,
  type Suppression,
  topics,
} from '@email-events/schemas';
import { EVENT_COLUMNS, valuesOf } from './event-columns.ts';
import { type RowBuffer, writeValues } from './row-binary.ts';
import { EventTranslator } from './translate.ts';

/** Values of the topics that go to ClickHouse. */
export type ClickHouseValue = EventOf[EventType] | Suppression | DeadLetter | EventMark;

/** How records of a topic become rows. */
export interface TableWriter {
  readonly table: string;
  /** In the order of the encoded row. */
  readonly columns: readonly string[];
  /** Undefined for a record without a value where one is needed. Reads the value once. */
  encode(record: SinkRecord<ClickHouseValue>): Row | undefined;
  /** Where rows can be binary. */
  readonly binary?: BinaryWriter;
}

/** The same rows in RowBinary. */
export interface BinaryWriter {
  /** The row that `to` gives, for the time it is asked with, gets the record. False for a record without a value. */
  add(record: SinkRecord<ClickHouseValue>, to: (occurredAt: number) => RowBuffer): boolean;
}

interface Row {
  /** Of JSONCompactEachRow. */
  readonly line: string;
  /** The time by which its table is partitioned, if it is: epoch milliseconds. */
  readonly occurredAt?: number;
}

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

const EVENT_NAMES = EVENT_COLUMNS.map(({ name }) => name);

/** The tables, each with all columns that are written: what a check of the schema needs. */
export const TABLES: readonly Pick<TableWriter, 'table' | 'columns'>[] = [
  { table: 'email_events', columns: EVENT_NAMES },
  SUPPRESSIONS,
  DEAD_LETTERS,
  EVENT_MARKS,
];

const WRITERS: ReadonlyMap<string, TableWriter> = new Map([
  ...EVENT_TYPES.map((type) => [topics.events(type), eventWriter(type)] as const),
  [topics.suppressions, SUPPRESSIONS],
  [topics.deadLetters, DEAD_LETTERS],
  [topics.eventMarks, EVENT_MARKS],
]);

/** Throws if no table is for this topic. */
export function writerOf(topic: string): TableWriter {
  const writer = WRITERS.get(topic);
  if (!writer) throw new Error(`no table is for ${topic}`);
  return writer;
}

function eventWriter(type: EventType): TableWriter {
  const translator = new EventTranslator(type);
  return {
    table: 'email_events',
    columns: EVENT_NAMES,
    encode: ({ key, value }) => {
      if (!value) return undefined;
      const event = value as EmailEvent;
      // A time is its milliseconds: for an unquoted number ClickHouse takes a DateTime64's own ticks.
      return { line: line(valuesOf(type, key, event)), occurredAt: event.occurred_at };
    },
    binary: {
      add: (record, to) => {
        const { encoded } = record;
        const at = encoded && translator.scan(encoded, encoded.writer);
        if (at !== undefined && translator.write(to(at))) return true;
        const event = record.value as EmailEvent | null;
        if (!event) return false;
        writeValues(to(event.occurred_at), EVENT_COLUMNS, valuesOf(type, record.key, event));
        return true;
      },
    },
  };
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
