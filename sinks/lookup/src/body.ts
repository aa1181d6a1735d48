import type { IncomingMessage } from 'node:http';
import { Refused } from './call.ts';

/** Bytes of bodies that are received or worked on at a time. */
export class BytesUnderWay {
  private readonly most: number;
  private taken = 0;

  constructor(most: number) {
    this.most = most;
  }

  get used(): number {
    return this.taken;
  }

  /** Throws Refused LOOKUP_BUSY. */
  take(bytes: number): void {
    if (this.taken + bytes > this.most)
      throw new Refused(503, 'LOOKUP_BUSY', 'too much is under way', { 'retry-after': '1' });
    this.taken += bytes;
  }

  give(bytes: number): void {
    this.taken -= bytes;
  }
}

/** The length that the sender says, or the most that is taken, is reserved before the first byte is kept. */
export interface BodyLimits {
  readonly maxBytes: number;
  readonly underWay: BytesUnderWay;
}

/**
 * Hands the body to `work` once all of it is there, and reserves its bytes until that is done. Throws Refused before anything is kept for
 * a body that is declared wrongly or too large, and as soon as one becomes too large.
 */
export async function withBody<T>(
  request: IncomingMessage,
  { maxBytes, underWay }: BodyLimits,
  work: (body: Buffer) => Promise<T>,
): Promise<T> {
  const {
    'content-type': type = '',
    'content-encoding': encoding,
    'content-length': length,
  } = request.headers;
  if (!/^application\/json *(?:; *charset="?utf-8"?)? *$/i.test(type) || encoding !== undefined)
    throw new Refused(415, 'LOOKUP_MEDIA_TYPE', 'application/json is taken, not compressed');
  const reserved = length === undefined ? maxBytes : Number(length);
  if (reserved > maxBytes) throw tooLarge(maxBytes);
  underWay.take(reserved);
  try {
    return await work(await received(request, maxBytes));
  } finally {
    underWay.give(reserved);
  }
}

/** An iterator would destroy the request, and its connection, before it is answered. */
function received(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= maxBytes) {
        parts.push(part);
        return;
      }
      request.removeAllListeners('data').pause();
      reject(tooLarge(maxBytes));
    });
    request.once('end', () => resolve(Buffer.concat(parts)));
    request.once('error', reject);
  });
}

const tooLarge = (maxBytes: number) =>
  new Refused(413, 'LOOKUP_BODY_TOO_LARGE', `a body has ${maxBytes} bytes at most`);
