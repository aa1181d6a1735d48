import avro, { type Schema, type Type } from 'avsc';
import { schemas } from './generated/schemas.gen.ts';
import type { SchemaKey } from './topics.ts';

/** avsc's cursor. Reading past the end yields nonsense and is noticed afterwards, by pos > buf.length. */
interface Tap {
  buf: Buffer;
  pos: number;
  readLong(): number;
  readString(): string;
  skipString(): void;
  skipLong(): void;
  writeString(text: string): void;
  writeLong(value: number): void;
}

/** Methods that avsc calls on a type; its typings leave these out. */
interface Coder {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
  _write(tap: Tap, value: unknown): void;
}

interface Checker {
  _check(value: unknown, flags: unknown, hook?: (value: unknown, type: unknown) => void): boolean;
}

interface ForSchemaOptions {
  registry: { [name: string]: Type };
  namespace?: string;
  typeHook?: (schema: Schema, options: ForSchemaOptions) => Type | undefined;
}
type TypeClass<T> = new (schema: unknown, options: ForSchemaOptions) => Type & Coder & T;

const LongBase = avro.types.LongType as unknown as TypeClass<Checker>;
const StringBase = avro.types.StringType as unknown as TypeClass<object>;
const ArrayBase = avro.types.ArrayType as unknown as TypeClass<{ itemsType: Coder }>;
const MapBase = avro.types.MapType as unknown as TypeClass<{ valuesType: Coder }>;
const UnionBase = avro.types.UnwrappedUnionType as unknown as TypeClass<{ types: Coder[] }>;

/**
 * Returns avsc's type of a schema, with five of its types replaced: strings and optional values because they are most of
 * an event and ours are faster, arrays and maps because avsc trusts any length that the bytes claim, longs because
 * avsc loses the sign of large negative ones.
 * Throws avsc's error if the schema is not valid.
 */
export function typeForSchema(schema: unknown): Type {
  const options = { registry: {}, omitRecordMethods: true, typeHook: replace };
  return avro.Type.forSchema(schema as Schema, options as never);
}

/** Type of a schema as this version of the code knows it. */
export function avroType(key: SchemaKey): Type {
  let type = cached.get(key);
  if (!type) {
    type = typeForSchema(schemas[key]);
    cached.set(key, type);
  }
  return type;
}
const cached = new Map<SchemaKey, Type>();

function replace(schema: unknown, options: ForSchemaOptions): Type | undefined {
  if (schema === 'string') return new FastString(schema, options);
  if (Array.isArray(schema)) {
    return isOptional(schema) ? new Optional(optionalBranches(schema, options), options) : undefined;
  }
  const type = typeof schema === 'string' ? schema : (schema as { type?: unknown }).type;
  if (type === 'long') return new SafeLong(schema, options);
  if (type === 'array') return new BoundedArray(schema, options);
  if (type === 'map') return new BoundedMap(schema, options);
  return undefined;
}

const isOptional = (schema: unknown[]) =>
  schema.length === 2 && schema[0] === 'null' && !Array.isArray(schema[1]);
const optionalBranches = (schema: unknown[], options: ForSchemaOptions) =>
  schema.map((branch) => avro.Type.forSchema(branch as Schema, options as never));

/** Strings below this many characters take one length byte if they are ASCII. */
const SHORT = 64;
const CACHE_SLOTS = 4096;
const CACHED_BYTES = 24;
/** Strings lately read, by hash: most of an event's are the same in all events of a source. */
const recent: string[] = new Array(CACHE_SLOTS).fill('');

class FastString extends StringBase {
  override _write(tap: Tap, value: unknown): void {
    if (typeof value !== 'string') throw new TypeError('not a string');
    const { buf, pos } = tap;
    const { length } = value;
    if (length >= SHORT || pos + 1 + length > buf.length) {
      tap.writeString(value);
      return;
    }
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) {
        // Nothing is lost: the cursor has not moved yet.
        tap.writeString(value);
        return;
      }
      buf[pos + 1 + i] = code;
    }
    buf[pos] = length << 1;
    tap.pos = pos + 1 + length;
  }

  override _read(tap: Tap): string {
    const { buf, pos } = tap;
    const length = (buf[pos] as number) >> 1;
    const end = pos + 1 + length;
    // An odd byte is a negative length; a byte above 127 starts a longer one.
    if (length > CACHED_BYTES || ((buf[pos] as number) & 1) !== 0 || end > buf.length)
      return tap.readString();
    let hash = length;
    for (let i = pos + 1; i < end; i++) hash = Math.imul(hash ^ (buf[i] as number), 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (CACHE_SLOTS - 1);
    const candidate = recent[slot] as string;
    if (isAt(candidate, buf, pos + 1, length)) {
      tap.pos = end;
      return candidate;
    }
    const text = tap.readString();
    // Other than ASCII has fewer characters than bytes and would never be found again.
    if (text.length === length) recent[slot] = text;
    return text;
  }
}

function isAt(text: string, buf: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== buf[start + i]) return false;
  return true;
}

const MIN_LONG = -(2 ** 52);
const MAX_LONG = 2 ** 53 - 2;

/** avsc writes twice the absolute value in a double, which is exact down to -2^52 only. */
class SafeLong extends LongBase {
  override _check(value: unknown, _flags: unknown, hook?: (value: unknown, type: unknown) => void): boolean {
    const fits = isLong(value);
    if (!fits) hook?.(value, this);
    return fits;
  }

  override _write(tap: Tap, value: unknown): void {
    if (!isLong(value)) throw new TypeError('not a long');
    tap.writeLong(value);
  }
}

function isLong(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= MIN_LONG && (value as number) <= MAX_LONG;
}

/** ["null", X], by far the commonest union. */
class Optional extends UnionBase {
  override _write(tap: Tap, value: unknown): void {
    // A branch number is one byte: 0 for null, 2 (zigzag of 1) for the other.
    if (value === null) {
      tap.buf[tap.pos++] = 0;
    } else {
      tap.buf[tap.pos++] = 2;
      (this.types[1] as Coder)._write(tap, value);
    }
  }

  override _read(tap: Tap): unknown {
    const branch = tap.buf[tap.pos++];
    if (branch === 0) return null;
    if (branch !== 2) throw new RangeError('no such branch of a union');
    return (this.types[1] as Coder)._read(tap);
  }
}

/** Reads no more items than bytes are left: ours take at least one each. */
class BoundedArray extends ArrayBase {
  override _read(tap: Tap): unknown[] {
    const items: unknown[] = [];
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      while (count-- > 0) items.push(this.itemsType._read(tap));
    }
    return items;
  }

  override _skip(tap: Tap): void {
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      while (count-- > 0) this.itemsType._skip(tap);
    }
  }
}

class BoundedMap extends MapBase {
  override _read(tap: Tap): { [key: string]: unknown } {
    const map: { [key: string]: unknown } = {};
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      while (count-- > 0) {
        const key = tap.readString();
        const value = this.valuesType._read(tap);
        // A plain assignment to this key sets the prototype, or is lost.
        if (key === '__proto__') define(map, key, value);
        else map[key] = value;
      }
    }
    return map;
  }

  override _skip(tap: Tap): void {
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      while (count-- > 0) {
        tap.skipString();
        this.valuesType._skip(tap);
      }
    }
  }
}

/** Number of items in the next block of an array or map; 0 ends it. */
function blockCount(tap: Tap): number {
  let count = tap.readLong();
  if (count < 0) {
    count = -count;
    tap.skipLong(); // The block's size in bytes.
  }
  if (count > tap.buf.length - tap.pos) throw new RangeError('more items than bytes');
  return count;
}

function define(map: object, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
}
