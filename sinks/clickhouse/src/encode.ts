import { setImmediate as nextTurn } from 'node:timers/promises';
import { PipelineError, type SinkRecord } from '@email-events/core';
import type { Hiding } from './private/hide.ts';
import { RowBuffer } from './row-binary.ts';
import { type ClickHouseValue, type TableWriter, writerOf } from './rows.ts';

/** Of a row: what it is together with, within its table. Undefined: all rows of the table. */
type Cut = (occurredAt: number | undefined) => string | undefined;

/**
 * Ways to cut a batch into pieces, each of which is one insert under its token. A way that was ever announced in Kafka is never
 * changed nor taken away: a batch that was begun is finished in just the pieces that it was begun in.
 */
export const CUTS = {
  /** By table, and events by the UTC month they occurred in: the partition of their table, so that a piece is one part. */
  'month-1': (occurredAt: number | undefined) => (occurredAt === undefined ? undefined : monthOf(occurredAt)),
} as const satisfies Record<string, Cut>;

type CutName = keyof typeof CUTS;

/** How new batches are cut. */
export const CURRENT_CUT: CutName = 'month-1';

/** How the rows of a batch are made: cut, and with what in place of people. */
interface Way {
  /** Undefined: not at all. */
  readonly cut: Cut | undefined;
  /** Undefined: rows say what records say. */
  readonly hiding: Hiding | undefined;
}

const WITH_KEY = '+';

/** The name of the way of new batches. */
export const wayName = (hiding: Hiding | undefined): string =>
  hiding === undefined ? CURRENT_CUT : `${CURRENT_CUT}${WITH_KEY}${hiding.fingerprint}`;

/**
 * How a batch was announced; undefined: as it was before there were pieces. It is finished so whatever is configured meanwhile, since what was sent
 * under a token is what comes again under it. Throws SINK_CUT_UNKNOWN (fatal): another version announced it, or a key is not configured any more.
 */
export function wayOf(name: string | undefined, hidings: readonly Hiding[]): Way {
  if (name === undefined) return { cut: undefined, hiding: undefined };
  const [cut = '', fingerprint] = name.split(WITH_KEY);
  if (!Object.hasOwn(CUTS, cut))
    throw new PipelineError('SINK_CUT_UNKNOWN', 'fatal', `no batch is cut by ${name} in this version`);
  const hiding = hidings.find((of) => of.fingerprint === fingerprint);
  if (fingerprint !== undefined && !hiding)
    throw new PipelineError(
      'SINK_CUT_UNKNOWN',
      'fatal',
      'a batch was begun with a key that is not among erasure.keys: put it back behind the others',
    );
  return { cut: CUTS[cut as CutName], hiding };
}

const FIRST_YEAR = 1900;
const LAST_YEAR = 2299;

/**
 * As toYYYYMM says it for what a DateTime64 can hold, which is the years 1900 to 2299. Where ClickHouse puts a time outside of them
 * does not matter: all of these are of one piece, which then is several parts.
 */
function monthOf(time: number): string {
  const date = new Date(time);
  const year = date.getUTCFullYear();
  if (!(year >= FIRST_YEAR)) return time < 0 ? 'before' : 'after';
  if (year > LAST_YEAR) return 'after';
  return `${year}${String(date.getUTCMonth() + 1).padStart(2, '0')}`;
}

/** Rows of a batch that go into one table by one insert. */
export interface EncodedRows {
  /** The table, and what they were cut by: its name within the batch. */
  readonly key: string;
  readonly table: string;
  readonly columns: readonly string[];
  /** Lines of JSONCompactEachRow, or rows of RowBinary. */
  readonly format: 'json' | 'binary';
  /** Lines may be cut anywhere. */
  readonly chunks: readonly Buffer[];
  /** Bytes of each row; empty for lines, which show where they end. */
  readonly sizes: readonly number[];
  /** Index in the batch, by row. */
  readonly indexes: readonly number[];
  /** False: not every row can be binary, and only lines let the server judge it. */
  readonly complete: boolean;
}

interface EncodedBatch {
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
  const inserts = new Map<string, RowEncoder>();
  const empty: number[] = [];
  for (const [index, record] of records.entries()) {
    const writer = writerOf(record.topic);
    if (!encodeRecord(inserts, writer, record, index, cut)) empty.push(index);
    if (index % ROWS_A_TURN === ROWS_A_TURN - 1) await nextTurn();
  }
  return { inserts: [...inserts.values()].map((encoder) => encoder.finish()).sort(newestFirst), empty };
}

/** The same rows as lines, for a table that does not take binary ones: its columns are not of the types that migrations gave them. */
export async function asLines(
  rows: EncodedRows,
  records: readonly SinkRecord<ClickHouseValue>[],
): Promise<EncodedRows> {
  const encoder = new RowEncoder(rows);
  for (const [row, index] of rows.indexes.entries()) {
    const record = records[index];
    const line = record && writerOf(record.topic).encode(record)?.line;
    if (line === undefined) throw new Error(`row ${row} of ${rows.key} had a value`);
    encoder.addLine(line, index);
    if (row % ROWS_A_TURN === ROWS_A_TURN - 1) await nextTurn();
  }
  return encoder.finish();
}

/** False: there is no value. */
function encodeRecord(
  inserts: Map<string, RowEncoder>,
  writer: TableWriter,
  record: SinkRecord<ClickHouseValue>,
  index: number,
  cut: Cut | undefined,
): boolean {
  if (!writer.binary) {
    const row = writer.encode(record);
    if (row) encoderOf(inserts, writer, cut?.(row.occurredAt)).addLine(row.line, index);
    return row !== undefined;
  }
  let encoder: RowEncoder | undefined;
  const added = writer.binary.add(record, (occurredAt) => {
    encoder = encoderOf(inserts, writer, cut?.(occurredAt));
    return encoder.binary;
  });
  encoder?.indexes.push(index);
  return added;
}

/**
 * Of a table the newest month first: fresh events are waited for, and must not wait for the months of late reports, or of a sender
 * who sends all months at once.
 */
function newestFirst(one: EncodedRows, other: EncodedRows): number {
  if (one.table !== other.table) return one.table < other.table ? -1 : 1;
  return one.key < other.key ? 1 : -1;
}

/** Cuts the encoded rows of an insert again. */
export function rowsOf({ chunks, sizes, format }: EncodedRows): Buffer[] {
  const all = Buffer.concat([...chunks]);
  const rows: Buffer[] = [];
  for (let start = 0; start < all.length; ) {
    const size = sizes[rows.length];
    const end = format === 'json' ? all.indexOf(0x0a, start) + 1 : start + (size ?? Number.NaN);
    rows.push(all.subarray(start, end));
    start = end;
  }
  return rows;
}

function encoderOf(
  inserts: Map<string, RowEncoder>,
  { table, columns }: TableWriter,
  piece: string | undefined,
): RowEncoder {
  const key = piece === undefined ? table : `${table}/${piece}`;
  let encoder = inserts.get(key);
  if (!encoder) {
    encoder = new RowEncoder({ key, table, columns });
    inserts.set(key, encoder);
  }
  return encoder;
}

/** Of one insert. All of its rows are lines, or all are binary. */
class RowEncoder {
  readonly binary = new RowBuffer();
  readonly indexes: number[] = [];
  private readonly of: Pick<EncodedRows, 'key' | 'table' | 'columns'>;
  private readonly lines: Buffer[] = [];
  private text = '';

  constructor({ key, table, columns }: Pick<EncodedRows, 'key' | 'table' | 'columns'>) {
    this.of = { key, table, columns };
  }

  addLine(row: string, index: number): void {
    this.text += row;
    this.indexes.push(index);
    if (this.text.length >= CHUNK_CHARACTERS) this.flush();
  }

  finish(): EncodedRows {
    this.flush();
    const { of, lines, indexes } = this;
    if (lines.length > 0) return { ...of, format: 'json', chunks: lines, sizes: [], indexes, complete: true };
    return { ...of, format: 'binary', ...this.binary.finish(), indexes };
  }

  private flush(): void {
    if (this.text !== '') this.lines.push(Buffer.from(this.text));
    this.text = '';
  }
}
