import avro, { type types } from 'avsc';
import { avroType, typeForSchema } from './avro-types.ts';
import { CodecError, SchemaError } from './errors.ts';
import { schemas } from './generated/schemas.gen.ts';
import { Registry } from './registry.ts';
import type { RegistrySettings } from './registry-api.ts';
import { type SchemaKey, subjectOf } from './topics.ts';

const { Type } = avro;
type Type = avro.Type;

/** Encodes values of one subject. Synchronous: the schema id was looked up when it was made. */
export interface Encoder<T> {
  readonly schemaId: number;
  /**
   * Confluent's wire format, in a new buffer. Fields with a default may be missing, further fields are ignored.
   * Throws CodecError VALUE_UNENCODABLE if a field does not fit its type (a long must be an integer from -2^52 to 2^53-2).
   */
  encode(value: T): Buffer;
}

/**
 * Decodes values of any registered version into the version this code knows.
 * `load` fetches the writers' schemas of a batch (nothing to await once they are cached), then `decode` is synchronous.
 */
export interface Decoder<T> {
  /**
   * Fetches unknown writer schemas; forever cached, so an outage of the registry hurts new versions only.
   * Throws SchemaError REGISTRY_UNREACHABLE or REGISTRY_UNAUTHORIZED: nothing is wrong with the values, the caller
   * retries. An id that the registry does not know is no error here, but of the values that bear it.
   */
  load(values: Iterable<Buffer>): Promise<void>;
  /**
   * Throws CodecError VALUE_UNREADABLE if the bytes are not a value of a loaded, compatible schema.
   * The result shares no memory with the bytes.
   */
  decode(value: Buffer): T;
  /** Whether the value was written by this code's own version of the schema, as far as that is loaded. */
  isOwn(value: Buffer): boolean;
  /**
   * For readers that make no objects: the schema by which the bytes were written, from VALUE_START on, and the same object each time.
   * Undefined where `decode` reads nothing, since the schema is not loaded or not compatible.
   */
  writerOf(value: Buffer): object | undefined;
}

/** Where Avro's bytes begin in a value. */
export const VALUE_START = 5;
const MAGIC = 0;
const PREFIX_BYTES = VALUE_START;
const SCRATCH_BYTES = 64 * 1024;
/** A scratch buffer that grew beyond this for one value is not kept. */
const SCRATCH_KEPT_BYTES = 2 * 1024 * 1024;

/** Schemas by registry. Looks up, never registers: registration is a deploy step. */
export class Codec {
  private readonly registry: Registry;

  constructor(settings: RegistrySettings) {
    this.registry = new Registry(settings);
  }

  /**
   * Throws SchemaError: SCHEMA_NOT_REGISTERED if the subject does not hold this code's version of the schema
   * (`schemas register` was not run), REGISTRY_UNREACHABLE, REGISTRY_UNAUTHORIZED.
   */
  async encoder<T>(topic: string, key: SchemaKey): Promise<Encoder<T>> {
    const schemaId = await this.registry.idOf(subjectOf(topic), schemas[key]);
    return createEncoder<T>(schemaId, avroType(key));
  }

  decoder<T>(key: SchemaKey): Decoder<T> {
    return createDecoder<T>(avroType(key), (id) => this.registry.schemaOf(id));
  }
}

/** The encoder without a registry, for tests and tools that know the id. */
export function createEncoder<T>(schemaId: number, type: Type): Encoder<T> {
  return new AvroEncoder<T>(schemaId, type);
}

/** The decoder with any source of writers' schemas (JSON). It throws CodecError where it has none. */
export function createDecoder<T>(reader: Type, fetchWriter: (id: number) => Promise<unknown>): Decoder<T> {
  return new AvroDecoder<T>(reader, fetchWriter);
}

class AvroEncoder<T> implements Encoder<T> {
  readonly schemaId: number;
  private readonly type: Type;
  // avsc writes into its buffer and copies; one scratch buffer with the prefix in place saves a copy.
  private scratch: Buffer;

  constructor(schemaId: number, type: Type) {
    this.schemaId = schemaId;
    this.type = type;
    this.scratch = this.prefixed(SCRATCH_BYTES);
  }

  encode(value: T): Buffer {
    let end = this.write(value);
    if (end < 0) {
      // A negative end says how many bytes were missing.
      this.scratch = this.prefixed((this.scratch.length - end) * 2);
      end = this.write(value);
    }
    const encoded = Buffer.allocUnsafe(end);
    this.scratch.copy(encoded, 0, 0, end);
    if (this.scratch.length > SCRATCH_KEPT_BYTES) this.scratch = this.prefixed(SCRATCH_BYTES);
    return encoded;
  }

  private write(value: T): number {
    try {
      return this.type.encode(value, this.scratch, PREFIX_BYTES);
    } catch {
      // avsc's message quotes the value, so it is not kept as the cause: it might reach a log.
      throw new CodecError(
        'VALUE_UNENCODABLE',
        `the value does not fit its schema at ${misfit(this.type, value)}`,
      );
    }
  }

  private prefixed(bytes: number): Buffer {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    buffer.writeUInt8(MAGIC, 0);
    buffer.writeInt32BE(this.schemaId, 1);
    return buffer;
  }
}

type Read<T> = (value: Buffer) => T;

interface Writer<T> {
  readonly read: Read<T>;
  readonly isOwn: boolean;
  /** Undefined: not compatible. */
  readonly schema: object | undefined;
}

class AvroDecoder<T> implements Decoder<T> {
  private readonly reader: Type;
  private readonly fetchWriter: (id: number) => Promise<unknown>;
  private readonly writers = new Map<number, Writer<T>>();

  constructor(reader: Type, fetchWriter: (id: number) => Promise<unknown>) {
    this.reader = reader;
    this.fetchWriter = fetchWriter;
  }

  async load(values: Iterable<Buffer>): Promise<void> {
    let missing: Set<number> | undefined;
    for (const value of values) {
      if (!isFramed(value)) continue;
      const id = value.readInt32BE(1);
      if (!this.writers.has(id)) {
        missing ??= new Set();
        missing.add(id);
      }
    }
    if (missing) for (const id of missing) await this.loadWriter(id);
  }

  decode(value: Buffer): T {
    if (!isFramed(value)) throw new CodecError('VALUE_UNREADABLE', 'not in the Confluent wire format');
    const id = value.readInt32BE(1);
    const writer = this.writers.get(id);
    if (!writer) throw new CodecError('VALUE_UNREADABLE', `unknown schema id ${id}`);
    return writer.read(value);
  }

  writerOf(value: Buffer): object | undefined {
    return isFramed(value) ? this.writers.get(value.readInt32BE(1))?.schema : undefined;
  }

  isOwn(value: Buffer): boolean {
    return isFramed(value) && this.writers.get(value.readInt32BE(1))?.isOwn === true;
  }

  private async loadWriter(id: number): Promise<void> {
    let schema: unknown;
    try {
      schema = await this.fetchWriter(id);
    } catch (error) {
      // Not cached: the schema may be registered later.
      if (error instanceof SchemaError && error.code === 'VALUE_UNREADABLE') return;
      throw error;
    }
    this.writers.set(id, writerOf<T>(this.reader, id, schema));
  }
}

function isFramed(value: Buffer): boolean {
  return value.length >= PREFIX_BYTES && value[0] === MAGIC;
}

function writerOf<T>(reader: Type, id: number, schema: unknown): Writer<T> {
  let resolver: ReturnType<Type['createResolver']> | undefined;
  try {
    const writer = typeForSchema(schema);
    resolver = reader.equals(writer) ? undefined : reader.createResolver(writer);
  } catch (cause) {
    const read = () => {
      throw new CodecError('VALUE_UNREADABLE', `schema ${id} cannot be read as ${reader.name}`, { cause });
    };
    return { read, isOwn: false, schema: undefined };
  }
  const read = (value: Buffer): T => {
    let end: number;
    let decoded: T;
    try {
      // avsc's typings leave the end of the value out.
      const result = reader.decode(value, PREFIX_BYTES, resolver) as { value: T; offset: number };
      decoded = result.value;
      end = result.offset;
    } catch (cause) {
      throw new CodecError('VALUE_UNREADABLE', 'the value does not fit its schema', { cause });
    }
    if (end !== value.length) {
      throw new CodecError(
        'VALUE_UNREADABLE',
        end < 0 ? 'the value is truncated' : 'the value has trailing bytes',
      );
    }
    return decoded;
  };
  return {
    read,
    isOwn: resolver === undefined,
    schema: typeof schema === 'object' && schema !== null ? schema : undefined,
  };
}

/** Path of the first field that does not fit, without the keys of maps, which are data. */
function misfit(type: Type, value: unknown): string {
  let first: string[] | undefined;
  type.isValid(value, {
    errorHook: (path: string[]) => {
      first ??= [...path];
    },
  });
  const place: string[] = [];
  let at: Type | undefined = type;
  for (const part of first ?? []) {
    if (at && Type.isType(at, 'union')) at = (at as types.UnwrappedUnionType).types[1];
    if (!at || Type.isType(at, 'map')) break;
    place.push(part);
    at = Type.isType(at, 'record')
      ? (at as types.RecordType).field(part)?.type
      : (at as types.ArrayType).itemsType;
  }
  return place.join('.') || 'the top';
}
