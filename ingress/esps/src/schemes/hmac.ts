import { createHmac } from 'node:crypto';
import { sameBytes } from './encoding.ts';

export type Digest = 'sha1' | 'sha256';

export function hmac(digest: Digest, key: string | Buffer, parts: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac(digest, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Whether one of the keys made this signature. All keys are tried, so timing does not tell which. */
export function hmacMatches(
  digest: Digest,
  keys: readonly (string | Buffer)[],
  parts: readonly (string | Buffer)[],
  signature: Buffer,
): boolean {
  let found = false;
  for (const key of keys) found = sameBytes(hmac(digest, key, parts), signature) || found;
  return found;
}
