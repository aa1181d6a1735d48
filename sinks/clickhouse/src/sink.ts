import {
  DELIVERED,
  type Logger,
  type Sink,
  type SinkBatch,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import { type DeadLetter, type EmailEvent, type Suppression, topics } from '@email-events/schemas';
import type { ClickHouse } from './connection.ts';
import { wayName } from './encode.ts';
import { sinkErrorOf } from './errors.ts';
import { Inserts } from './insert.ts';
import { type PieceParts, piecesOf } from './pieces.ts';
import type { Hiding } from './private/hide.ts';
import { type ClickHouseValue, TABLES } from './rows.ts';
import { TableTypes } from './table-types.ts';

interface ClickHouseSinkOptions {
  /** How long an insert is waited for at first. Milliseconds; default a minute. */
  readonly insertMs?: number;
  /** What new batches put in place of people; undefined: nothing. */
  readonly hiding?: Hiding | undefined;
  /** Besides it, one for each key with which a batch may have been begun. */
  readonly hidings?: readonly Hiding[];
}

/** Rows into tables. The same batch inserted again leaves nothing behind: neither in the tables nor in the rollups. */
export function createClickHouseSink(
  clickhouse: ClickHouse,
  log: Logger,
  { insertMs, hiding, hidings = hiding ? [hiding] : [] }: ClickHouseSinkOptions = {},
): Sink<ClickHouseValue> & Required<Pick<Sink<ClickHouseValue>, 'prepare'>> {
  const parts: PieceParts = {
    ...{ clickhouse, inserts: new Inserts(clickhouse, insertMs), log },
    ...{ types: new TableTypes(clickhouse), hidings },
  };
  return {
    name: 'clickhouse',
    cut: wayName(hiding),
    prepare: (records, cut) => piecesOf(parts, records, cut),
    sourceOf,
    example: EXAMPLE,
    check: async (signal) => {
      try {
        await checkTables(clickhouse, signal);
      } catch (error) {
        throw sinkErrorOf(error);
      }
    },
    write: (batch, signal) => writeWhole(parts, batch, signal),
    close: () => clickhouse.close(),
  };
}

/** An insert of no rows goes all the way to the table: it fails if the table, a column or the right to insert is missing. */
async function checkTables(clickhouse: ClickHouse, signal: AbortSignal): Promise<void> {
  for (const { table, columns } of TABLES) {
    const names = columns.join(', ');
    await clickhouse.command(`INSERT INTO ${table} (${names}) SELECT ${names} FROM ${table} LIMIT 0`, signal);
  }
}

/** A batch as it was before there were pieces: one insert a table, and all of it again if one fails. */
async function writeWhole(
  parts: PieceParts,
  batch: SinkBatch<ClickHouseValue>,
  signal: AbortSignal,
): Promise<SinkVerdict[]> {
  const verdicts: SinkVerdict[] = Array(batch.records.length).fill(DELIVERED);
  for (const piece of await piecesOf(parts, batch.records, undefined)) {
    const own = await piece.write(`${batch.id}/${piece.key}`, signal);
    const retry = own.find(({ outcome }) => outcome === 'retry');
    // Tables that were written already take it as a duplicate the next time.
    if (retry) return batch.records.map(() => retry);
    for (const [n, index] of piece.indexes.entries()) verdicts[index] = own[n] ?? DELIVERED;
  }
  return verdicts;
}

/** The webhook that reported it. */
function sourceOf({ topic, value }: SinkRecord<ClickHouseValue>): string {
  if (!value) return topic;
  const { source } = value as EmailEvent | DeadLetter;
  const reasons = (value as Suppression).reasons ?? [];
  return source ?? reasons[0]?.source ?? topic;
}

/** The least that an event has. */
export const EXAMPLE: SinkRecord<ClickHouseValue> = {
  topic: topics.events('delivered'),
  key: 'ada@example.com',
  value: {
    event_id: '0'.repeat(32),
    occurred_at: 0,
    received_at: 0,
    esp: 'example',
    source: 'example',
    recipient: 'ada@example.com',
    recipient_domain: 'example.com',
    tags: [],
    metadata: {},
  } as unknown as ClickHouseValue,
  timestamp: 0,
  attempts: 0,
};
