import { createHmac } from 'node:crypto';
import type { CommonConfig } from './config/common.ts';
import { ConfigError } from './config/problems.ts';

/** What stands for an erased address begins with it. Recipient keys are lower case, so no address can be taken for one. */
const PREFIX = 'ERASED:';
const DIGITS = 32;
const LEAST_CHARACTERS = 32;

/** Gives what stands for an address once it is erased: the same for the same address and key, and nothing that tells the address without the key. */
export type Pseudonym = (recipient: string) => string;

/** Whether a key of a record stands for an erased address, and so is none. */
export const isPseudonym = (key: string): boolean => key.startsWith(PREFIX);

/** The digits that stand for an erased address; undefined: it is not of one. */
export const digitsOfErased = (key: string): string | undefined =>
  isPseudonym(key) ? key.slice(PREFIX.length) : undefined;

/** Stands for an id of 32 hex digits that somebody without the key could make anew. */
export const keyedId = (id: string, by: Pseudonym): string => by(id).slice(PREFIX.length);

/** Of each of the configured keys, in their order: new erasures are made with the first, and all of them are asked. Throws ConfigError. */
export function pseudonymsOf({ erasure }: Pick<CommonConfig, 'erasure'>): readonly Pseudonym[] {
  return erasure.keys.map((key, index) => {
    const secret = key.reveal();
    if (secret.length < LEAST_CHARACTERS)
      throw new ConfigError([
        { path: `erasure.keys.${index}`, message: `must have ${LEAST_CHARACTERS} characters at least` },
      ]);
    return (recipient) =>
      PREFIX + createHmac('sha256', secret).update(recipient).digest('hex').slice(0, DIGITS);
  });
}
