import type { EventColumn, Kind } from './event-columns.ts';

const FIRST_CHUNK_BYTES = 16_384;
const CHUNK_BYTES = 262_144;
const TWO_TO_32 = 4_294_967_296;
/** Texts up to here are copied byte by byte: a call out of JavaScript costs as much as so many bytes. */
const SHORT = 96;

/** Rows in ClickHouse's RowBinary, in chunks. Who writes makes room first, so that a row is in one chunk. */
export class RowBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(0);
  position = 0;
  /** False once a row could not be written. */
  complete = true;
  private view = new DataView(this.bytes.buffer);
  /** Of the row that is being written. */
  private start = 0;
  /** Few rows need not wait for much memory. */
  private next = FIRST_CHUNK_BYTES;
  private readonly full: Buffer[] = [];
  private readonly sizes: number[] = [];

  /** Begins a row of at most so many bytes. One that was begun and not ended is gone. */
  begin(most: number): void {
    this.position = this.start;
    if (this.start + most <= this.bytes.length) return;
    this.close();
    // No zeros are written into it, and no pool is shared with buffers that live on.
    this.bytes = Buffer.allocUnsafeSlow(Math.max(this.next, most));
    this.next = CHUNK_BYTES;
    this.view = new DataView(this.bytes.buffer);
  }

  end(): void {
    this.sizes.push(this.position - this.start);
    this.start = this.position;
  }

  /** All rows, and the size of each. Nothing can be added then. */
  finish(): { chunks: Buffer[]; sizes: number[]; complete: boolean } {
    this.close();
    return { chunks: this.full, sizes: this.sizes, complete: this.complete };
  }

  byte(value: number): void {
    this.bytes[this.position++] = value;
  }

  size(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.bytes[this.position++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.bytes[this.position++] = rest;
  }

  int(value: number): void {
    this.view.setInt32(this.position, value, true);
    this.position += 4;
  }

  /** An integer that a double holds exactly. */
  long(value: number): void {
    // Modulo 2^32, as bit operations are.
    this.view.setInt32(this.position, value | 0, true);
    this.view.setInt32(this.position + 4, Math.floor(value / TWO_TO_32), true);
    this.position += 8;
  }

  /** Bytes of another buffer. Returns a number above 127 if not all of them are ASCII. */
  copy(from: Buffer, start: number, length: number): number {
    const { bytes, position } = this;
    this.position = position + length;
    if (length > SHORT) {
      from.copy(bytes, position, start, start + length);
      return 128;
    }
    let all = 0;
    for (let i = 0; i < length; i++) {
      const byte = from[start + i] as number;
      bytes[position + i] = byte;
      all |= byte;
    }
    return all;
  }

  text(value: string): void {
    const bytes = Buffer.from(value);
    this.size(bytes.length);
    this.copy(bytes, 0, bytes.length);
  }

  private close(): void {
    if (this.start > 0) this.full.push(this.bytes.subarray(0, this.start));
    this.bytes = Buffer.allocUnsafeSlow(0);
    this.start = 0;
    this.position = 0;
  }
}

/** Writes values in the order of the columns. What is not of its column's kind, and so was never Avro, is no row: `complete` tells. */
export function writeValues(
  out: RowBuffer,
  columns: readonly EventColumn[],
  values: readonly unknown[],
): void {
  const cells = columns.map(({ kind, nullable }, n) => values[n] ?? (nullable ? null : EMPTY[kind]));
  if (!columns.every(({ kind }, n) => cells[n] === null || IS[kind](cells[n]))) {
    out.complete = false;
    return;
  }
  out.begin(mostBytes(cells));
  for (const [n, { kind, nullable }] of columns.entries()) {
    const cell = cells[n];
    if (nullable) out.byte(cell === null ? 1 : 0);
    if (cell !== null) WRITE[kind](out, cell as never);
  }
  out.end();
}

const isText = (value: unknown) => typeof value === 'string';
const IS: { readonly [K in Kind]: (value: unknown) => boolean } = {
  text: isText,
  time: Number.isSafeInteger,
  long: Number.isSafeInteger,
  int: (value) => value === ((value as number) | 0),
  flag: (value) => typeof value === 'boolean',
  texts: (value) => Array.isArray(value) && value.every(isText),
  pairs: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText),
};

/** For an object that did not come out of Avro, which knows defaults. */
const EMPTY: { readonly [K in Kind]: unknown } = {
  ...{ text: '', time: 0, long: 0, int: 0, flag: false, texts: [], pairs: {} },
};

const WRITE: { readonly [K in Kind]: (out: RowBuffer, value: never) => void } = {
  text: (out, value: string) => out.text(value),
  time: (out, value: number) => out.long(value),
  long: (out, value: number) => out.long(value),
  int: (out, value: number) => out.int(value),
  flag: (out, value: boolean) => out.byte(value ? 1 : 0),
  texts: (out, value: readonly string[]) => {
    out.size(value.length);
    for (const text of value) out.text(text);
  },
  pairs: (out, value: { readonly [key: string]: string }) => {
    const pairs = Object.entries(value);
    out.size(pairs.length);
    for (const [key, of] of pairs) {
      out.text(key);
      out.text(of);
    }
  },
};

/** A size takes five bytes at most, a character three, and anything else no more than nine bytes. */
function mostBytes(values: readonly unknown[]): number {
  const ofText = (text: string) => 5 + text.length * 3;
  let most = 0;
  for (const value of values) {
    most += 9;
    if (typeof value === 'string') most += ofText(value);
    else if (Array.isArray(value)) for (const text of value as string[]) most += ofText(text);
    else if (value !== null && typeof value === 'object')
      for (const [key, of] of Object.entries(value as { [key: string]: string }))
        most += ofText(key) + ofText(of);
  }
  return most;
}
