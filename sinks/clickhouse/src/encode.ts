import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SinkRecord } from '@email-events/core';
import { type ClickHouseValue, type TableWriter, writerOf } from './rows.ts';

/** The rows of a batch that go into one table. */
export interface EncodedTable {
  readonly table: string;
  readonly columns: readonly string[];
  /** Lines of JSONCompactEachRow, cut anywhere. */
  readonly chunks: readonly Buffer[];
  /** Index in the batch, by row. */
  readonly indexes: readonly number[];
}

export interface EncodedBatch {
  readonly tables: readonly EncodedTable[];
  /** Index in the batch of records without a value where one is needed. */
  readonly empty: readonly number[];
}

const CHUNK_CHARACTERS = 65_536;
const ROWS_A_TURN = 1_000;

/**
 * Encodes everything before anything is sent: a value that cannot be read throws while nothing is written yet.
 * Others get a turn now and then, heartbeats among them.
 */
export async function encodeBatch(records: readonly SinkRecord<ClickHouseValue>[]): Promise<EncodedBatch> {
  const writers = new Map<string, TableWriter>();
  const tables = new Map<string, TableEncoder>();
  const empty: number[] = [];
  for (const [index, record] of records.entries()) {
    let writer = writers.get(record.topic);
    if (!writer) {
      writer = writerOf(record.topic);
      writers.set(record.topic, writer);
    }
    const row = writer.encode(record);
    if (row === undefined) empty.push(index);
    else encoderOf(tables, writer).add(row, index);
    if (index % ROWS_A_TURN === ROWS_A_TURN - 1) await nextTurn();
  }
  return { tables: [...tables.values()].map((encoder) => encoder.finish()), empty };
}

/** Cuts the encoded rows of a table into lines again. */
export function linesOf({ chunks }: EncodedTable): Buffer[] {
  const all = Buffer.concat([...chunks]);
  const lines: Buffer[] = [];
  for (let start = 0; start < all.length; ) {
    const end = all.indexOf(0x0a, start) + 1;
    lines.push(all.subarray(start, end));
    start = end;
  }
  return lines;
}

function encoderOf(tables: Map<string, TableEncoder>, { table, columns }: TableWriter): TableEncoder {
  let encoder = tables.get(table);
  if (!encoder) {
    encoder = new TableEncoder(table, columns);
    tables.set(table, encoder);
  }
  return encoder;
}

class TableEncoder {
  private readonly table: string;
  private readonly columns: readonly string[];
  private readonly chunks: Buffer[] = [];
  private readonly indexes: number[] = [];
  private text = '';

  constructor(table: string, columns: readonly string[]) {
    this.table = table;
    this.columns = columns;
  }

  add(row: string, index: number): void {
    this.text += row;
    this.indexes.push(index);
    if (this.text.length >= CHUNK_CHARACTERS) this.cut();
  }

  finish(): EncodedTable {
    this.cut();
    const { table, columns, chunks, indexes } = this;
    return { table, columns, chunks, indexes };
  }

  private cut(): void {
    if (this.text !== '') this.chunks.push(Buffer.from(this.text));
    this.text = '';
  }
}
