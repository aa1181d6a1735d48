import { type KeyObject, verify } from 'node:crypto';
import { EspConfigError } from '../adapter.ts';
import { spkiKey } from './public-key.ts';

/** Public keys out of base64 SPKI. Throws EspConfigError, which never shows the key. */
export function ecPublicKeys(esp: string, secrets: readonly string[]): KeyObject[] {
  return secrets.map((secret) => {
    const key = spkiKey(secret);
    if (key?.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new EspConfigError(`a secret of ${esp} is not a P-256 public key in base64 SPKI form`);
    }
    return key;
  });
}

/** ECDSA over SHA-256 with a DER signature. A signature that is no DER is simply wrong. */
export function ecdsaMatches(keys: readonly KeyObject[], signed: Buffer, signature: Buffer): boolean {
  return keys.some((key) => {
    try {
      return verify('sha256', signed, key, signature);
    } catch {
      return false;
    }
  });
}
