import { keyedId, type Pseudonym } from '@email-events/core';
import { keyOfAddress } from '@email-events/schemas';

/** In lower case, as recipient keys are: whatever reads one in any spelling reads a pseudonym as it is. */
const PREFIX = 'hashed:';
const STORED = /^hashed:[0-9a-f]{32}(?:@|$)/;
/** No recipient: none has a control character. */
const BATCH = '\0batch';
const FINGERPRINT_DIGITS = 8;

/**
 * What rows have in place of a recipient key: the digits that stand for it once it is erased too, and its domain, if it is an address. Whatever looks
 * for the domain behind the @ finds it.
 */
export function storedAs(recipient: string, by: Pseudonym): string {
  const domain = domainOf(recipient);
  return `${PREFIX}${keyedId(recipient, by)}${domain === '' ? '' : `@${domain}`}`;
}

/** Whether it stands for a recipient key in rows. */
export const isStoredPseudonym = (recipient: string): boolean => STORED.test(recipient);

/** The digits of a pseudonym in rows; undefined: it is none. */
export const digitsOf = (recipient: string): string | undefined =>
  isStoredPseudonym(recipient) ? recipient.slice(PREFIX.length, PREFIX.length + 32) : undefined;

/** Every key under which rows may have a recipient: its own, in rows from before they were pseudonymised, and one for each key of the configuration. */
export const keysInRows = (recipient: string, keys: readonly Pseudonym[]): string[] => [
  recipient,
  ...keys.map((by) => storedAs(recipient, by)),
];

/** Tells keys apart and nothing of them: an announced batch says with which one its rows are made. */
export const fingerprintOf = (by: Pseudonym): string => keyedId(BATCH, by).slice(0, FINGERPRINT_DIGITS);

/** Of what is no address nothing is known to be a domain: it may be anything. */
export function domainOf(recipient: string): string {
  const key = keyOfAddress(recipient);
  return key === undefined ? '' : key.slice(key.lastIndexOf('@') + 1);
}
