import { type ReadFrom, readTopic } from '@email-events/core';
import { type Codec, CodecError, type DeadLetter, topics } from '@email-events/schemas';
import type { PipelineConfig } from '../services.ts';

/** Where the letters are, and what decodes them. */
export interface Letters {
  readonly kafka: PipelineConfig['kafka'];
  readonly codec: Codec;
}

/** Where a letter is in its topic. */
export interface Place {
  readonly partition: number;
  readonly offset: bigint;
}

export const placeKey = ({ partition, offset }: Place) => `${partition}/${offset}`;

export interface ReadLettersOptions {
  readonly from?: ReadFrom;
  readonly signal?: AbortSignal | undefined;
  /** Records that are not wanted are not decoded. */
  readonly wanted?: (key: string, at: Place) => boolean;
  readonly onLetter: (letter: DeadLetter, at: Place) => void | Promise<void>;
  /** Records read so far. */
  readonly onProgress?: ((records: number) => void) | undefined;
}

const PROGRESS_EVERY = 10_000;

/** Reads the dead letters to the end of their topic, each partition in order. Returns how many cannot be decoded. */
export async function readLetters({ kafka, codec }: Letters, options: ReadLettersOptions): Promise<number> {
  const { from = 'beginning', signal, wanted = () => true, onLetter, onProgress } = options;
  const decoder = codec.decoder<DeadLetter>('deadLetter');
  let [unreadable, records] = [0, 0];
  const decode = (value: Buffer): DeadLetter | undefined => {
    try {
      return decoder.decode(value);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      unreadable++;
      return undefined;
    }
  };
  await readTopic(kafka, {
    topics: [topics.deadLetters],
    from,
    ...(signal ? { signal } : {}),
    onRecord: async ({ partition, offset, key, value }) => {
      records++;
      if (records % PROGRESS_EVERY === 0) onProgress?.(records);
      const at = { partition, offset };
      if (value === null || !wanted(key?.toString() ?? '', at)) return;
      await decoder.load([value]);
      const letter = decode(value);
      if (letter) await onLetter(letter, at);
    },
  });
  return unreadable;
}
