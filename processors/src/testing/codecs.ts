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
  type SchemaKey,
  type Suppression,
  schemas,
} from '@email-events/schemas';
import type { TokensOptions } from '../normalize/tokens.ts';
import type { ChangelogCodec } from '../state/restore.ts';

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

export { stateCodec } from '../state/state-codec.ts';
export type { DeadLetter, NormalizedBatch, Suppression };
