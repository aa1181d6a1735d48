import { FORM_DECODER } from './percent-decoding.gen.ts';

const PERCENT = 0x25;
const PLUS = 0x2b;

/** Decodes percent-encoding and plus signs. A percent sign without two hex digits stands for itself. */
export function percentDecoded(encoded: Buffer): Buffer {
  const first = firstEncoded(encoded);
  if (first < 0) return encoded;
  const { length: end } = encoded;
  const bytes = Buffer.allocUnsafe(end);
  encoded.copy(bytes, 0, 0, first);
  const hex = HEX;
  let length = first;
  for (let at = first; at < end; at++) {
    const byte = encoded[at] as number;
    if (byte === 0x25 && at + 2 < end) {
      const high = hex[encoded[at + 1] as number] as number;
      const low = hex[encoded[at + 2] as number] as number;
      if ((high | low) >= 0) {
        bytes[length++] = (high << 4) | low;
        at += 2;
        continue;
      }
    }
    bytes[length++] = byte === 0x2b ? 0x20 : byte;
  }
  return bytes.subarray(0, length);
}

function firstEncoded(encoded: Buffer): number {
  const percent = encoded.indexOf(PERCENT);
  const plus = encoded.indexOf(PLUS);
  return percent < 0 || plus < 0 ? Math.max(percent, plus) : Math.min(percent, plus);
}

/** Value of a hex digit; −1 for what is none, which spoils the whole byte. */
const HEX = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(digit) ? -1 : digit;
});

/** What is used of WebAssembly: its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** percent-decoding.wat, which says where in its memory the caller's bytes, the table and the result are. */
interface FormDecoder {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Bytes that were decoded; −1: an escape is none. */
  decode(end: number): number;
}

const PLACES_AT = 20_480;
const DECODED_AT = 24_576;
/** Encoded bytes a call: what a call reads and writes stays in the processor's nearest cache. */
const CHUNK = 16_384;
const BLOCK = 16;

const decoder = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(FORM_DECODER, 'base64')))
  .exports as FormDecoder;
/** Only used between two lines that do not wait. */
const memory = Buffer.from(decoder.memory.buffer);

for (let set = 0; set < 256; set++) {
  let at = PLACES_AT + 8 * set;
  for (let place = 0; place < 8; place++) if ((set >> place) & 1) memory[at++] = place;
}

/**
 * As percentDecoded, for what is not verified yet: takes a third of what its digest does, whatever the bytes. Null: it has a percent sign
 * without two hex digits behind it, which no encoder writes.
 */
export function strictlyDecoded(encoded: Buffer): Buffer | null {
  const bytes = Buffer.allocUnsafe(encoded.length);
  let done = 0;
  for (let at = 0, end = 0; at < encoded.length; at = end) {
    end = chunkEnd(encoded, at);
    const length = decodeChunk(encoded, at, end);
    if (length < 0) return null;
    done += memory.copy(bytes, done, DECODED_AT, DECODED_AT + length);
  }
  return bytes.subarray(0, done);
}

/** No chunk ends within an escape, unless the whole does. */
function chunkEnd(encoded: Buffer, at: number): number {
  const end = at + CHUNK;
  if (end >= encoded.length) return encoded.length;
  if (encoded[end - 1] === PERCENT) return end - 1;
  return encoded[end - 2] === PERCENT ? end - 2 : end;
}

function decodeChunk(encoded: Buffer, at: number, end: number): number {
  const length = encoded.copy(memory, 0, at, end);
  // Zeros are no digits, and each that fills the last block comes out as one.
  memory.fill(0, length, length + 2 * BLOCK);
  const written = decoder.decode(length);
  return written < 0 ? written : written - (-length & (BLOCK - 1));
}
