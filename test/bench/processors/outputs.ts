import { crc32 } from 'node:zlib';
import { type KafkaSettings, readTopic } from '@email-events/core';

/** Committed records of some topics. Two of the same sums hold the same values, in whatever order. */
export interface Outputs {
  readonly records: number;
  readonly bytes: number;
  /** Sum of the CRCs of the ids, and of the whole values. */
  readonly ids: number;
  readonly values: number;
}

const WRAP = 2 ** 52;
/** In front of the id: five bytes of Confluent's format, one of the id's length. */
const ID_FROM = 6;
const ID_TO = ID_FROM + 32;

export async function countOutputs(settings: KafkaSettings, topics: readonly string[]): Promise<Outputs> {
  const found = { records: 0, bytes: 0, ids: 0, values: 0 };
  await readTopic(settings, {
    topics,
    from: 'beginning',
    onRecord: ({ value }) => {
      if (value === null) throw new Error('an event without a value');
      found.records++;
      found.bytes += value.length;
      found.ids = (found.ids + crc32(value.subarray(ID_FROM, ID_TO))) % WRAP;
      found.values = (found.values + crc32(value)) % WRAP;
    },
  });
  return found;
}
