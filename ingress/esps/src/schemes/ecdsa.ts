import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { EspConfigError } from '../adapter.ts';
import { fromBase64 } from './encoding.ts';

/** Public keys out of base64 SPKI (PEM armour is tolerated). Throws EspConfigError, which never shows the key. */
export function ecPublicKeys(esp: string, secrets: readonly string[]): KeyObject[] {
  return secrets.map((secret) => {
    const base64 = secret.replace(/-----(?:BEGIN|END) PUBLIC KEY-----|\s/g, '');
    const key = importKey(fromBase64(base64));
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

function importKey(der: Buffer | null): KeyObject | null {
  if (!der) return null;
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}
