import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import avro, { type Type } from 'avsc';
import { schemas } from './generated/schemas.gen.ts';
import { type SchemaKey, subjectOf } from './topics.ts';

export interface RegistrySettings {
  /** Base URL of the Confluent-compatible API. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Encodes values of one subject. Synchronous: the schema id was looked up when it was made. */
export interface Encoder<T> {
  readonly schemaId: number;
  encode(value: T): Buffer;
}

/**
 * Decodes values of any registered version into the version this code knows.
 * `load` fetches the writers' schemas of a batch (nothing to await once they are cached), then `decode` is synchronous.
 */
export interface Decoder<T> {
  /** Fetches unknown writer schemas. Throws what the registry threw: the caller retries. */
  load(values: Iterable<Buffer>): Promise<void>;
  /** Throws CodecError if the bytes are not a value of a loaded, compatible schema. */
  decode(value: Buffer): T;
}

/** The bytes cannot be read: not Confluent's wire format, or not what their schema says. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

const MAGIC = 0;
const PREFIX_BYTES = 5;

/** Type of a schema as this version of the code knows it. */
const typeCache = new Map<SchemaKey, Type>();
export function avroType(key: SchemaKey): Type {
  let type = typeCache.get(key);
  if (!type) {
    type = avro.Type.forSchema(schemas[key] as never);
    typeCache.set(key, type);
  }
  return type;
}

/** Schemas by registry. Looks up, never registers: registration is a deploy step. */
export class Codec {
  private readonly registry: SchemaRegistry;

  constructor(settings: RegistrySettings) {
    const { url, username, password } = settings;
    this.registry = new SchemaRegistry({
      host: url,
      ...(username ? { auth: { username, password: password ?? '' } } : {}),
      retry: { retries: 5, initialRetryTimeInSecs: 0.1, maxRetryTimeInSecs: 5 },
    });
  }

  /** Throws if the subject does not hold this code's version of the schema: `schemas register` was not run. */
  async encoder<T>(topic: string, key: SchemaKey): Promise<Encoder<T>> {
    const schemaId = await this.registry.getRegistryIdBySchema(subjectOf(topic), schemas[key] as never);
    return new AvroEncoder<T>(schemaId, avroType(key));
  }

  decoder<T>(key: SchemaKey): Decoder<T> {
    return new AvroDecoder<T>(avroType(key), async (id) => {
      // For an Avro schema the library hands out avsc's own type.
      return (await this.registry.getSchema(id)) as unknown as Type;
    });
  }
}

class AvroEncoder<T> implements Encoder<T> {
  readonly schemaId: number;
  private readonly type: Type;
  // avsc writes into a buffer of its own and copies; one scratch buffer with the prefix in place saves a copy.
  private scratch = Buffer.allocUnsafe(64 * 1024);

  constructor(schemaId: number, type: Type) {
    this.schemaId = schemaId;
    this.type = type;
    this.writePrefix();
  }

  encode(value: T): Buffer {
    let end = this.type.encode(value, this.scratch, PREFIX_BYTES);
    if (end < 0) {
      // A negative end says how many bytes were missing.
      this.scratch = Buffer.allocUnsafe((this.scratch.length - end) * 2);
      this.writePrefix();
      end = this.type.encode(value, this.scratch, PREFIX_BYTES);
    }
    const encoded = Buffer.allocUnsafe(end);
    this.scratch.copy(encoded, 0, 0, end);
    return encoded;
  }

  private writePrefix(): void {
    this.scratch.writeUInt8(MAGIC, 0);
    this.scratch.writeInt32BE(this.schemaId, 1);
  }
}

class AvroDecoder<T> implements Decoder<T> {
  private readonly reader: Type;
  private readonly fetchWriter: (id: number) => Promise<Type>;
  private readonly writers = new Map<number, (value: Buffer) => T>();

  constructor(reader: Type, fetchWriter: (id: number) => Promise<Type>) {
    this.reader = reader;
    this.fetchWriter = fetchWriter;
  }

  async load(values: Iterable<Buffer>): Promise<void> {
    for (const value of values) {
      if (value.length < PREFIX_BYTES || value[0] !== MAGIC) continue;
      const id = value.readInt32BE(1);
      if (!this.writers.has(id)) this.writers.set(id, this.readerOf(await this.fetchWriter(id)));
    }
  }

  decode(value: Buffer): T {
    if (value.length < PREFIX_BYTES || value[0] !== MAGIC) {
      throw new CodecError('not in the Confluent wire format');
    }
    const read = this.writers.get(value.readInt32BE(1));
    if (!read) throw new CodecError(`unknown schema id ${value.readInt32BE(1)}`);
    return read(value);
  }

  private readerOf(writer: Type): (value: Buffer) => T {
    const { reader } = this;
    const resolver = reader.equals(writer) ? undefined : reader.createResolver(writer);
    return (value) => {
      try {
        const { value: decoded, offset } = reader.decode(value, PREFIX_BYTES, resolver) as {
          value: T;
          offset: number;
        };
        if (offset !== value.length) throw new CodecError('the value is truncated or has trailing bytes');
        return decoded;
      } catch (cause) {
        throw cause instanceof CodecError
          ? cause
          : new CodecError('the value does not fit its schema', { cause });
      }
    };
  }
}
