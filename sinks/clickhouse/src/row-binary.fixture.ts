import { EVENT_COLUMNS, type Kind } from './event-columns.ts';

/** For tests: the cells of a row of RowBinary, as JSON would have them but for pairs, which are a list. Throws if it has more or fewer bytes. */
export function readRow(row: Buffer): unknown[] {
  let at = 0;
  const size = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = row.readUInt8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const text = () => {
    const length = size();
    at += length;
    if (at > row.length) throw new RangeError('a text ends behind its row');
    return row.toString('utf8', at - length, at);
  };
  const skip = (bytes: number) => {
    at += bytes;
    return at - bytes;
  };
  const long = () => Number(row.readBigInt64LE(skip(8)));
  const list = <T>(item: () => T) => Array.from({ length: size() }, item);
  const read: { readonly [K in Kind]: () => unknown } = {
    text,
    time: long,
    long,
    int: () => row.readInt32LE(skip(4)),
    flag: () => row.readUInt8(at++) === 1,
    texts: () => list(text),
    pairs: () => list(() => [text(), text()]),
  };
  const cells = EVENT_COLUMNS.map(({ kind, nullable }) =>
    nullable && row.readUInt8(at++) === 1 ? null : read[kind](),
  );
  if (at !== row.length) throw new RangeError(`a row of ${row.length} bytes ends after ${at}`);
  return cells;
}
