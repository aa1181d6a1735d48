import { type Codec, type DeadLetter, type Encoder, topics } from '@email-events/schemas';
import type { Logger } from '../../telemetry.ts';
import type { Brokers } from '../client/brokers.ts';
import { type PlacedMessage, publishAll } from '../client/produce.ts';
import { DeadLetterLog } from '../dead-letter-log.ts';
import { deadLetterKey, deadLetterOf, deadLetterPartition } from '../records.ts';
import type { Entry } from './entry.ts';

const MESSAGE_CHARACTERS = 500;
/** The topic's limit (4 MiB), less what Kafka adds. */
const LETTER_BYTES = 4_150_000;

/** A record that can never be written, and why. */
export interface Refusal {
  readonly entry: Entry<unknown>;
  readonly code: string;
  /** Without addresses or payload. */
  readonly message: string;
  /** Epoch milliseconds. */
  readonly firstAt: number;
}

export interface DeadLettersOptions {
  readonly brokers: Brokers;
  readonly requestTimeoutMs: number;
  readonly codec: Pick<Codec, 'encoder'>;
  readonly stage: string;
  readonly partitions: number;
  readonly log: Logger;
}

/** Writes dead letters of a sink to their topic. A letter that is there twice is one: readers go by its key. */
export class DeadLetters {
  private readonly options: DeadLettersOptions;
  private readonly lines: DeadLetterLog;

  constructor(options: DeadLettersOptions) {
    this.options = options;
    this.lines = new DeadLetterLog(options.log);
  }

  /** Resolves when the broker has them for good. Throws when it may not: the caller tries again. */
  async publish(refusals: readonly Refusal[], now: number): Promise<void> {
    const letters = refusals
      .filter((refusal) => this.isWorthALetter(refusal))
      .map((refusal) => this.letterOf(refusal, now));
    if (letters.length === 0) return;
    const { brokers, codec, requestTimeoutMs } = this.options;
    const encoder = await codec.encoder<DeadLetter>(topics.deadLetters, 'deadLetter');
    const messages = letters.map((letter) => this.messageOf(letter, encoder));
    await publishAll(brokers, topics.deadLetters, messages, requestTimeoutMs);
    for (const letter of letters) this.lines.written(letter);
  }

  /** A dead letter about a dead letter would be refused again, without end. The record stays where it is. */
  private isWorthALetter({ entry: { topic, partition, offset }, code }: Refusal): boolean {
    if (topic !== topics.deadLetters) return true;
    this.options.log.error(
      { code, topic, partition, offset },
      'a dead letter was refused; it stays in its topic only',
    );
    return false;
  }

  private letterOf({ entry, code, message, firstAt }: Refusal, now: number): DeadLetter {
    return deadLetterOf(entry.record, {
      stage: this.options.stage,
      code,
      message: message.slice(0, MESSAGE_CHARACTERS),
      attempts: entry.attempts + 1,
      firstAt,
      lastAt: now,
    });
  }

  private messageOf(letter: DeadLetter, encoder: Encoder<DeadLetter>): PlacedMessage {
    return {
      key: deadLetterKey(letter),
      value: boundedLetter(letter, encoder),
      partition: deadLetterPartition(letter, this.options.partitions),
    };
  }
}

/** A letter that its topic refuses would stop the lane: one that is too large goes without what makes it so, its place is in it. */
export function boundedLetter(letter: DeadLetter, encoder: Pick<Encoder<DeadLetter>, 'encode'>): Buffer {
  const whole = encoder.encode(letter);
  if (whole.length <= LETTER_BYTES) return whole;
  const bare = encoder.encode({ ...letter, key: null, headers: {} });
  return bare.length <= LETTER_BYTES
    ? bare
    : encoder.encode({ ...letter, key: null, headers: {}, value: null });
}
