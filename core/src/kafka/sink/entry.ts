import { type Codec, CodecError, type Decoder, type SchemaKey, VALUE_START } from '@email-events/schemas';
import { type InputRecord, isPutBack, type Replay, replayOf } from '../records.ts';
import type { EncodedValue, SinkRecord } from './sink.ts';

/** Turns values of the topics into what the sink writes. */
export interface RecordReader<R> {
  /** Loads what reading these values needs, such as their schemas. May throw: it is tried again. */
  load(topic: string, values: Iterable<Buffer>): Promise<void>;
  /** Throws CodecError if this value can never be read: the record becomes a dead letter. */
  read(topic: string, value: Buffer): R;
  /** The schema of the writer of this value, the same object each time, if it can be read. */
  writerOf?(topic: string, value: Buffer): object | undefined;
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
    writerOf: (topic, value) => decoderOf(topic).writerOf(value),
  };
}

/**
 * A record on its way to the sink, with what a dead letter of it would need. It keeps the bytes and reads them each time
 * the sink asks: thousands of records wait in memory, and their bytes are a fraction of their objects.
 */
export class Entry<R> implements SinkRecord<R> {
  /** Topic of its partition and offset. */
  readonly readFrom: string;
  /** The topic that it is of: another one for a record that was put back. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** As it was read. */
  readonly record: InputRecord;
  attempts = 0;
  /** Set once it is known that the value cannot be read. */
  unreadable = false;
  private readonly reader: RecordReader<R>;
  private readonly replay: Replay | undefined;

  constructor(record: InputRecord, reader: RecordReader<R>, replay?: Replay | undefined) {
    const { topic, partition, offset } = record;
    this.readFrom = topic;
    this.topic = replay?.topic ?? topic;
    this.replay = replay;
    this.partition = partition;
    this.offset = offset;
    this.record = record;
    this.reader = reader;
  }

  /** Throws CodecError if it cannot be read; the sink lets it pass, and is called again without this record. */
  get value(): R | null {
    const { value } = this.record;
    if (value === null) return null;
    try {
      return this.reader.read(this.topic, value);
    } catch (error) {
      if (error instanceof CodecError) this.unreadable = true;
      throw error;
    }
  }

  get encoded(): EncodedValue | undefined {
    const { value, key } = this.record;
    const writer = value === null ? undefined : this.reader.writerOf?.(this.topic, value);
    return value === null || !writer ? undefined : { bytes: value, start: VALUE_START, key, writer };
  }

  get key(): string | null {
    return this.record.key?.toString() ?? null;
  }

  get timestamp(): number {
    return this.replay?.recordedAt ?? this.record.timestamp;
  }

  get isPutBack(): boolean {
    return isPutBack(this.record);
  }

  get bytes(): number {
    return this.record.value?.length ?? 0;
  }
}

/** Those that can be read; the others are marked. */
export function readable<R>(entries: readonly Entry<R>[]): Entry<R>[] {
  return entries.filter((entry) => {
    try {
      return entry.value !== undefined;
    } catch (error) {
      if (error instanceof CodecError) return false;
      throw error;
    }
  });
}

interface EntrySettings<R> {
  readonly name: string;
  readonly topics: readonly string[];
  /** Topic of records that sinks refused and that were put back for them. */
  readonly replays?: string | undefined;
  readonly reader: RecordReader<R>;
}

/**
 * The records of a fetch that are for this sink. A refused record comes back by a separate topic: on its first topic every
 * other consumer would count it again. To the sink it looks as it did there.
 */
export function entriesOf<R>(
  records: readonly InputRecord[],
  { name, topics, replays, reader }: EntrySettings<R>,
): Entry<R>[] {
  return records.flatMap((record) => {
    if (record.topic !== replays) return [new Entry<R>(record, reader)];
    const replay = replayOf(record);
    if (replay?.sink !== name || !topics.includes(replay.topic)) return [];
    return [new Entry<R>(record, reader, replay)];
  });
}

/** Loads what reading these entries needs. May throw: it is tried again. */
export async function loadEntries<R>(reader: RecordReader<R>, entries: readonly Entry<R>[]): Promise<void> {
  const byTopic = new Map<string, Buffer[]>();
  for (const { topic, record } of entries) {
    if (record.value === null) continue;
    const values = byTopic.get(topic);
    if (values) values.push(record.value);
    else byTopic.set(topic, [record.value]);
  }
  for (const [topic, values] of byTopic) await reader.load(topic, values);
}
