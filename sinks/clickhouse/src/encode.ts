import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SinkRecord } from '@email-events/core';
import type { Cut } from './cut.ts';
import { type ClickHouseValue, type TableWriter, writerOf } from './rows.ts';

/** Rows of a batch that go into one table by one insert. */
export interface EncodedRows {
  /** The table, and what they were cut by: its name within the batch. */
  readonly key: string;
  readonly table: string;
  readonly columns: readonly string[];
  /** Lines of JSONCompactEachRow, cut anywhere. */
  readonly chunks: readonly Buffer[];
  /** Index in the batch, by row. */
  readonly indexes: readonly number[];
}

export interface EncodedBatch {
  readonly inserts: readonly EncodedRows[];
  /** Index in the batch of records without a value where one is needed. */
  readonly empty: readonly number[];
}

const CHUNK_CHARACTERS = 65_536;
const ROWS_A_TURN = 1_000;

/**
 * Encodes everything before anything is sent: a value that cannot be read throws while nothing is written yet.
 * Others get a turn now and then, heartbeats among them.
 */
export async function encodeBatch(
  records: readonly SinkRecord<ClickHouseValue>[],
  cut?: Cut,
): Promise<EncodedBatch> {
  const writers = new Map<string, TableWriter>();
  const inserts = new Map<string, RowEncoder>();
  const empty: number[] = [];
  for (const [index, record] of records.entries()) {
    let writer = writers.get(record.topic);
    if (!writer) {
      writer = writerOf(record.topic);
      writers.set(record.topic, writer);
    }
    const row = writer.encode(record);
    if (row === undefined) empty.push(index);
    else encoderOf(inserts, writer, cut?.(row.occurredAt)).add(row.line, index);
    if (index % ROWS_A_TURN === ROWS_A_TURN - 1) await nextTurn();
  }
  return { inserts: [...inserts.values()].map((encoder) => encoder.finish()).sort(newestFirst), empty };
}

/**
 * Of a table the newest month first: what happened just now is waited for, and the months of late reports, or of somebody who sends all
 * of them at once, are not to be inserted before it.
 */
function newestFirst(one: EncodedRows, other: EncodedRows): number {
  if (one.table !== other.table) return one.table < other.table ? -1 : 1;
  return one.key < other.key ? 1 : -1;
}

/** Cuts the encoded rows of an insert into lines again. */
export function linesOf({ chunks }: EncodedRows): Buffer[] {
  const all = Buffer.concat([...chunks]);
  const lines: Buffer[] = [];
  for (let start = 0; start < all.length; ) {
    const end = all.indexOf(0x0a, start) + 1;
    lines.push(all.subarray(start, end));
    start = end;
  }
  return lines;
}

function encoderOf(
  inserts: Map<string, RowEncoder>,
  { table, columns }: TableWriter,
  piece: string | undefined,
): RowEncoder {
  const key = piece === undefined ? table : `${table}/${piece}`;
  let encoder = inserts.get(key);
  if (!encoder) {
    encoder = new RowEncoder(key, table, columns);
    inserts.set(key, encoder);
  }
  return encoder;
}

class RowEncoder {
  private readonly key: string;
  private readonly table: string;
  private readonly columns: readonly string[];
  private readonly chunks: Buffer[] = [];
  private readonly indexes: number[] = [];
  private text = '';

  constructor(key: string, table: string, columns: readonly string[]) {
    this.key = key;
    this.table = table;
    this.columns = columns;
  }

  add(row: string, index: number): void {
    this.text += row;
    this.indexes.push(index);
    if (this.text.length >= CHUNK_CHARACTERS) this.flush();
  }

  finish(): EncodedRows {
    this.flush();
    const { key, table, columns, chunks, indexes } = this;
    return { key, table, columns, chunks, indexes };
  }

  private flush(): void {
    if (this.text !== '') this.chunks.push(Buffer.from(this.text));
    this.text = '';
  }
}
