import { hash } from 'node:crypto';

export type Digest = 'sha1' | 'sha256';

/** Both digests read blocks of 64 bytes. */
const BLOCK = 64;
const LONGEST = 32_768;
const MAX_KEYS = 256;

/** The key's block, as the two digests begin with it (RFC 2104). */
interface Pads {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

const PADS = new Map<string, Pads>();
/** Everything that is hashed stands here first. Only used between two lines that do not wait. */
const scratch = Buffer.allocUnsafeSlow(BLOCK + LONGEST);

/**
 * The HMAC of a short message by two calls of Node's digest, or undefined for one that is not short. An Hmac object, with its key and the
 * memory outside of V8 that the collector has to follow, costs more than to hash 3 kB: 8.9 against 6.4 µs for 2.6 kB.
 */
export function shortHmac(
  digest: Digest,
  key: string | Buffer,
  parts: readonly (string | Buffer)[],
): Buffer | undefined {
  let end = BLOCK;
  for (const part of parts) end += typeof part === 'string' ? Buffer.byteLength(part) : part.length;
  if (end > scratch.length) return undefined;
  const { inner, outer } = padsOf(digest, key);
  inner.copy(scratch);
  let at = BLOCK;
  for (const part of parts) at += typeof part === 'string' ? scratch.write(part, at) : part.copy(scratch, at);
  const made = hash(digest, scratch.subarray(0, end), 'buffer');
  outer.copy(scratch);
  made.copy(scratch, BLOCK);
  return hash(digest, scratch.subarray(0, BLOCK + made.length), 'buffer');
}

/** Made once for each key: as many are remembered as a configuration has, and more. */
function padsOf(digest: Digest, key: string | Buffer): Pads {
  const name = `${digest} ${typeof key === 'string' ? `text ${key}` : `bytes ${key.toString('latin1')}`}`;
  let pads = PADS.get(name);
  if (!pads) {
    if (PADS.size >= MAX_KEYS) PADS.clear();
    const block = Buffer.alloc(BLOCK);
    const bytes = typeof key === 'string' ? Buffer.from(key) : key;
    (bytes.length > BLOCK ? hash(digest, bytes, 'buffer') : bytes).copy(block);
    pads = {
      inner: block.map((byte) => byte ^ 0x36) as Buffer,
      outer: block.map((byte) => byte ^ 0x5c) as Buffer,
    };
    PADS.set(name, pads);
  }
  return pads;
}
