/** Reads Kafka's variable-length numbers, and bytes of such a length, one after the other. Throws a RangeError beyond the end. */
export class BytesReader {
  at: number;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  skip(count: number): void {
    this.at += count;
  }

  /** 32 bits, zigzag. */
  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift > 28) throw new RangeError('a number of more than 32 bits');
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** 64 bits, zigzag; exact up to 2^53. */
  varlong(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; ; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      if (count > 9) throw new RangeError('a number of more than 64 bits');
      factor *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view, no copy. */
  varBytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError('bytes beyond the end');
    const bytes = this.bytes.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError('a number beyond the end');
    return byte;
  }
}
