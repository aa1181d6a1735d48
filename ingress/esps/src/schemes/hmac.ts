import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Verdict } from '../adapter.ts';
import { fromHex, presented, sameBytes } from './encoding.ts';

export type Digest = 'sha1' | 'sha256';

export function hmac(digest: Digest, key: string | Buffer, parts: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac(digest, typeof key === 'string' ? key : keyObject(key));
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Whether one of the keys made one of these signatures. All keys are tried, so timing does not tell which; one digest for each. */
export function hmacMatches(
  digest: Digest,
  keys: readonly (string | Buffer)[],
  parts: readonly (string | Buffer)[],
  signatures: readonly Buffer[],
): boolean {
  let found = false;
  for (const key of keys) {
    const made = hmac(digest, key, parts);
    for (const signature of signatures) found = sameBytes(made, signature) || found;
  }
  return found;
}

/** Judges an HMAC-SHA256 in hex over these parts, as it stands in a header. */
export function judgeHexHmac(
  keys: readonly (string | Buffer)[],
  parts: readonly (string | Buffer)[],
  encoded: string | undefined,
): Verdict {
  if (!encoded) return { outcome: 'refused', code: 'SIGNATURE_MISSING' };
  const signatures = presented(encoded, fromHex);
  if (signatures.length === 0) return { outcome: 'refused', code: 'SIGNATURE_MALFORMED' };
  return hmacMatches('sha256', keys, parts, signatures)
    ? { outcome: 'verified' }
    : { outcome: 'refused', code: 'SIGNATURE_WRONG' };
}

/** Node makes a key object of every key it is given, which takes longer than the digest: made once for each. */
const KEY_OBJECTS = new WeakMap<Buffer, KeyObject>();

function keyObject(key: Buffer): KeyObject {
  let object = KEY_OBJECTS.get(key);
  if (!object) {
    object = createSecretKey(key);
    KEY_OBJECTS.set(key, object);
  }
  return object;
}
