import { type Codec, type DeadLetter, type Encoder, topics } from '@email-events/schemas';
import type { Kafka, Message, Producer } from 'kafkajs';
import { deadLetterKey, deadLetterOf, deadLetterPartition } from '../../dead-letter.ts';
import type { Logger } from '../../log.ts';
import { inputRecordOf } from '../input-record.ts';
import type { Entry } from './entry.ts';

/** A record that can never be written, and why. */
export interface Refusal {
  readonly entry: Entry<unknown>;
  readonly code: string;
  /** Without addresses or payload. */
  readonly message: string;
  /** Epoch milliseconds. */
  readonly firstAt: number;
}

/** Bytes of one produce request: far enough below a broker's default limit of 1 MiB. */
const REQUEST_BYTES = 900_000;

/** Writes dead letters of a sink to their topic. */
export class DeadLetters {
  private readonly producer: Producer;
  private readonly encoderOf: () => Promise<Encoder<DeadLetter>>;
  private readonly stage: string;
  private readonly partitions: number;
  private readonly log: Logger;
  private connected: Promise<void> | undefined;

  constructor(kafka: Kafka, codec: Codec, stage: string, partitions: number, log: Logger) {
    this.producer = kafka.producer({ idempotent: true, allowAutoTopicCreation: false });
    this.encoderOf = () => codec.encoder<DeadLetter>(topics.deadLetters, 'deadLetter');
    this.stage = stage;
    this.partitions = partitions;
    this.log = log;
  }

  /** Resolves when the broker has them for good. Throws when it may not: the caller tries again. */
  async publish(refusals: readonly Refusal[], now: number): Promise<void> {
    const letters = refusals.filter((refusal) => this.isWorthALetter(refusal));
    if (letters.length === 0) return;
    this.connected ??= this.producer.connect();
    await this.connected.catch((error) => {
      this.connected = undefined;
      throw error;
    });
    const encoder = await this.encoderOf();
    for (const messages of inRequests(letters.map((refusal) => this.messageOf(refusal, encoder, now)))) {
      await this.producer.send({ topic: topics.deadLetters, acks: -1, messages });
    }
  }

  async close(): Promise<void> {
    if (this.connected) await this.producer.disconnect();
  }

  /** A dead letter about a dead letter would be refused again, without end. The record stays where it is. */
  private isWorthALetter({ entry: { topic, partition, offset }, code }: Refusal): boolean {
    if (topic !== topics.deadLetters) return true;
    this.log.error(
      { code, topic, partition, offset },
      'a dead letter was refused; it stays in its topic only',
    );
    return false;
  }

  private messageOf(refusal: Refusal, encoder: Encoder<DeadLetter>, now: number): Message {
    const { entry, code, message, firstAt } = refusal;
    const letter = deadLetterOf(inputRecordOf(entry, entry.message), {
      stage: this.stage,
      code,
      message,
      attempts: entry.attempts + 1,
      firstAt,
      lastAt: now,
    });
    return {
      key: deadLetterKey(letter),
      value: encoder.encode(letter),
      partition: deadLetterPartition(letter, this.partitions),
    };
  }
}

function inRequests(messages: readonly Message[]): Message[][] {
  const requests: Message[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const size = message.value?.length ?? 0;
    if (bytes + size > REQUEST_BYTES) {
      requests.push([]);
      bytes = 0;
    }
    requests.at(-1)?.push(message);
    bytes += size;
  }
  return requests;
}
