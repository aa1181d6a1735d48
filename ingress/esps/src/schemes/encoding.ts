import { createHash, timingSafeEqual } from 'node:crypto';

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
/** Different ones: each costs a verification of its own where the key is public. */
const MAX_DIFFERENT = 2;

/** Signatures of a header that may have come more than once (then they are joined by commas): any good one is enough. */
export function presented(header: string, decode: (text: string) => Buffer | null): Buffer[] {
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

/** Compares secrets in constant time whatever their lengths, so that these stay unknown too. */
export function sameSecret(a: string | Buffer, b: string | Buffer): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
