import type { OwnedPartition } from '@email-events/core';
import { MemoryClient, type MemoryKafka } from '@email-events/core/testing';
import {
  avroType,
  createDecoder,
  createEncoder,
  type DeadLetter,
  type Decoder,
  type EmailEvent,
  type Encoder,
  EVENT_TYPES,
  type EventType,
  type NormalizedBatch,
  type OperatorAction,
  type SchemaKey,
  type Suppression,
  schemas,
} from '@email-events/schemas';
import type { BatchSettings } from '../events/batch.ts';
import type { ChangelogCodec } from '../events/state/restore.ts';
import { DEFAULT_POLICY } from '../events/suppression/accounts.ts';
import type { TokensOptions } from '../normalize/tokens.ts';

/** Schema ids as a registry would give them. */
const KEYS = Object.keys(schemas) as SchemaKey[];

export const encoderOf = <T>(key: SchemaKey): Encoder<T> =>
  createEncoder<T>(KEYS.indexOf(key) + 1, avroType(key));

export const decoderOf = <T>(key: SchemaKey): Decoder<T> =>
  createDecoder<T>(avroType(key), async (id) => schemas[KEYS[id - 1] ?? key]);

export const typedEncoders = () =>
  Object.fromEntries(EVENT_TYPES.map((type) => [type, encoderOf<EmailEvent>(type)])) as {
    [T in EventType]: Encoder<EmailEvent>;
  };

export const changelogCodec = (): ChangelogCodec => ({
  seen: { encoder: encoderOf('seen'), decoder: decoderOf('seen') },
  recipientState: { encoder: encoderOf('recipientState'), decoder: decoderOf('recipientState') },
});

export const tokenSettings = (): TokensOptions => ({
  codec: { encoder: encoderOf('tokens'), decoder: decoderOf('tokens') },
  ...{ windowMs: 172_800_000, maxEntries: 10_000, onOverflow: () => {} },
});

/** Decodes what is in a topic. */
export async function decodeAll<T>(key: SchemaKey, values: readonly (Buffer | null)[]): Promise<T[]> {
  const decoder = decoderOf<T>(key);
  const present = values.filter((value) => value !== null);
  await decoder.load(present);
  return present.map((value) => decoder.decode(value));
}

export { stateCodec } from '../events/state/partition-store.ts';
export type { DeadLetter, NormalizedBatch, Suppression };

const DAY_MS = 86_400_000;

/** Default settings of batches, for sources of which nothing is configured. */
export const batchSettings = (): BatchSettings => ({
  softBounces: { threshold: 5, windowMs: 30 * DAY_MS },
  policyOf: () => DEFAULT_POLICY,
  encoders: typedEncoders(),
  suppressionEncoder: encoderOf<Suppression>('suppression'),
  erasure: { pseudonyms: [], graceMs: 30 * DAY_MS },
  actionEncoder: encoderOf<OperatorAction>('operatorAction'),
  clock: Date.now,
});

/** Opens a partition on a cluster in memory, as the loop does for a stage. Earlier owners are not fenced here. */
export async function ownedPartition(kafka: MemoryKafka, partition: number): Promise<OwnedPartition> {
  const client = new MemoryClient(kafka);
  const owner = client.partition('owner', 'input', partition);
  await owner.open();
  return {
    partition,
    position: 0,
    note: null,
    write: (outputs) => owner.transact(outputs),
    read: async (topic, of, fromOffset, onRecords) => {
      const records = kafka.committed(topic, of, fromOffset);
      // In pieces, as they come from a broker.
      for (let i = 0; i < records.length; i += 3) if (await onRecords(records.slice(i, i + 3))) return;
      throw new Error('the end was reached before it was seen');
    },
  };
}
