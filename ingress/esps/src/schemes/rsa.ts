import { type KeyObject, verify } from 'node:crypto';
import { EspConfigError } from '../adapter.ts';
import type { Digest } from './hmac.ts';
import { spkiKey } from './public-key.ts';

/** Public keys out of base64 SPKI. Throws EspConfigError, which never shows the key. */
export function rsaPublicKeys(esp: string, secrets: readonly string[]): KeyObject[] {
  return secrets.map((secret) => {
    const key = spkiKey(secret);
    if (key?.asymmetricKeyType !== 'rsa') {
      throw new EspConfigError(`a secret of ${esp} is not an RSA public key in base64 SPKI form`);
    }
    return key;
  });
}

/** RSA with PKCS#1 v1.5 padding. A signature of another length than the key is simply wrong. */
export function rsaMatches(
  keys: readonly KeyObject[],
  digest: Digest,
  signed: Buffer,
  signature: Buffer,
): boolean {
  return keys.some((key) => {
    try {
      return verify(digest, signed, key, signature);
    } catch {
      return false;
    }
  });
}
