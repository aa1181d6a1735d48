import {
  createHash,
  createHmac,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { EspConfigError, type Verdict } from '../adapter.ts';
import { type Digest, shortHmac } from './short-hmac.ts';

export type { Digest } from './short-hmac.ts';

// Buffer.from never fails, it skips what it cannot read: a signature must be read strictly.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const HEX = /^(?:[0-9a-fA-F]{2})+$/;

/** Bytes of base64 text, padded or not; null if it is something else or empty. */
export function fromBase64(text: string): Buffer | null {
  return text !== '' && BASE64.test(text) ? Buffer.from(text, 'base64') : null;
}

export function fromHex(text: string): Buffer | null {
  return HEX.test(text) ? Buffer.from(text, 'hex') : null;
}

// A proxy or two may double a header, not more; what comes after these is not looked at.
const MAX_PRESENTED = 16;
/** Different signatures: each costs a separate verification where the key is public. */
const MAX_DIFFERENT = 2;

/** Signatures of a header that may have come more than once (then they are joined by commas): any good one is enough. */
export function presented(header: string, decode: (text: string) => Buffer | null): Buffer[] {
  if (!header.includes(',')) {
    const signature = decode(header.trim());
    return signature === null ? [] : [signature];
  }
  const texts = new Set(header.split(',', MAX_PRESENTED).map((text) => text.trim()));
  return [...texts]
    .map(decode)
    .filter((signature) => signature !== null)
    .slice(0, MAX_DIFFERENT);
}

/** Compares digests in constant time. A length is no secret. */
export function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Compares secrets of any lengths in constant time, so that the lengths stay unknown too. */
export function sameSecret(a: string | Buffer, b: string | Buffer): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

export function hmac(digest: Digest, key: string | Buffer, parts: readonly (string | Buffer)[]): Buffer {
  const short = shortHmac(digest, key, parts);
  if (short) return short;
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

/** A public key out of base64 SPKI (PEM armour is tolerated); null if it is none. */
export function spkiKey(secret: string): KeyObject | null {
  const der = fromBase64(secret.replace(/-----(?:BEGIN|END) PUBLIC KEY-----|\s/g, ''));
  if (!der) return null;
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}

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
