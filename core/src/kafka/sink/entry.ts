import { type Codec, CodecError, type Decoder, type SchemaKey } from '@email-events/schemas';
import type { KafkaMessage } from 'kafkajs';
import type { SinkRecord } from '../../sink.ts';

/** Turns values of the topics into what the sink writes. */
export interface RecordReader<R> {
  /** Whatever reading these values needs, such as their schemas. May throw: it is tried again. */
  load(topic: string, values: Iterable<Buffer>): Promise<void>;
  /** Throws CodecError if this value can never be read: the record becomes a dead letter. */
  read(topic: string, value: Buffer): R;
}

/** Reads Avro values, each topic by its own schema. */
export function avroReader<R>(
  codec: Pick<Codec, 'decoder'>,
  schemaOf: ReadonlyMap<string, SchemaKey>,
): RecordReader<R> {
  const decoders = new Map<string, Decoder<R>>();
  for (const [topic, key] of schemaOf) decoders.set(topic, codec.decoder<R>(key));
  const decoderOf = (topic: string) => {
    const decoder = decoders.get(topic);
    if (!decoder) throw new CodecError('VALUE_UNREADABLE', `no schema is known for ${topic}`);
    return decoder;
  };
  return {
    load: (topic, values) => decoderOf(topic).load(values),
    read: (topic, value) => decoderOf(topic).decode(value),
  };
}

/** A record on its way to the sink, with what a dead letter of it would need. */
export class Entry<R> implements SinkRecord<R> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly message: KafkaMessage;
  /** Undefined: it could not be read. */
  readonly read: R | null | undefined;
  attempts = 0;

  constructor(topic: string, partition: number, message: KafkaMessage, read: R | null | undefined) {
    this.topic = topic;
    this.partition = partition;
    this.offset = Number(message.offset);
    this.message = message;
    this.read = read;
  }

  get value(): R | null {
    return this.read ?? null;
  }

  get key(): string | null {
    return this.message.key?.toString() ?? null;
  }

  get timestamp(): number {
    return Number(this.message.timestamp);
  }

  get bytes(): number {
    return this.message.value?.length ?? 0;
  }
}

/** Reads one message; one that cannot be read is an entry all the same. */
export function entryOf<R>(
  reader: RecordReader<R>,
  topic: string,
  partition: number,
  message: KafkaMessage,
): Entry<R> {
  const { value } = message;
  if (value === null) return new Entry<R>(topic, partition, message, null);
  try {
    return new Entry<R>(topic, partition, message, reader.read(topic, value));
  } catch (error) {
    if (error instanceof CodecError) return new Entry<R>(topic, partition, message, undefined);
    throw error;
  }
}
