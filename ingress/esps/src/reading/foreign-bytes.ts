/**
 * Bytes that are no UTF-8 in a text that is. Each becomes a lone surrogate, U+DC80 to U+DCFF, which UTF-8 cannot contain,
 * so that the rest can be read, the item that has them be told from the others, and the bytes be had back to verify.
 */
const FOREIGN = /(?<![\ud800-\udbff])[\udc80-\udcff]/;
const FOREIGN_OFFSET = 0xdc00;

/** Written out, since it runs on bytes that are not verified yet: it makes one pass over any bytes. */
export function decodeForeign(bytes: Buffer): string {
  const units = new Uint16Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = sequenceAt(bytes, at);
    const first = bytes[at] ?? 0;
    if (size <= 1) {
      units[length++] = size === 1 ? first : FOREIGN_OFFSET + first;
      at++;
      continue;
    }
    let point = first & (0xff >> (size + 1));
    for (let i = 1; i < size; i++) point = (point << 6) | ((bytes[at + i] ?? 0) & 0x3f);
    if (point < 0x10000) units[length++] = point;
    else {
      units[length++] = 0xd7c0 + (point >> 10);
      units[length++] = 0xdc00 + (point & 0x3ff);
    }
    at += size;
  }
  return Buffer.from(units.buffer, 0, length * 2).toString('utf16le');
}

/** Bytes of the UTF-8 sequence that begins here; 0 if none does (Unicode, table 3-7). */
function sequenceAt(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const size = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (size === 0) return 0;
  const second = bytes[at + 1] ?? 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let i = 2; i < size; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}

/** The bytes that a text was made of. */
export function encodeForeign(text: string): Buffer {
  if (!FOREIGN.test(text)) return Buffer.from(text);
  const parts = text.split(/(?<![\ud800-\udbff])([\udc80-\udcff])/);
  return Buffer.concat(
    parts.map((part, index) =>
      index % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - FOREIGN_OFFSET),
    ),
  );
}

/** Whether a value that was parsed has such bytes anywhere in it. */
export function hasForeignBytes(value: unknown): boolean {
  if (typeof value === 'string') return FOREIGN.test(value);
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasForeignBytes);
  return Object.entries(value).some(([key, inner]) => FOREIGN.test(key) || hasForeignBytes(inner));
}
