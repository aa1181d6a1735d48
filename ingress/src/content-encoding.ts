import { createGunzip } from 'node:zlib';
import { type HttpFacts, isGzip } from '@email-events/esps';
import { Refused } from './codes.ts';

/**
 * The body as the ESP wrote it, before it was compressed: this is what it signs, and what normalize reads. Unpacked in the
 * thread pool, piece by piece: of what is larger than `maxBytes` no more is unpacked than that. `take` is asked for memory.
 * Throws Refused: INGRESS_BODY_TOO_LARGE, INGRESS_OVERLOADED, BODY_UNREADABLE.
 */
export function decodedBody(
  received: Buffer,
  encoding: string | undefined,
  http: Pick<HttpFacts, 'contentEncodings'>,
  maxBytes: number,
  take: (bytes: number) => boolean,
): Buffer | Promise<Buffer> {
  return isGzip(http, encoding, received) ? gunzip(received, maxBytes, take) : received;
}

function gunzip(received: Buffer, maxBytes: number, take: (bytes: number) => boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const stream = createGunzip({ chunkSize: 65_536 });
    const refuse = (code: 'INGRESS_BODY_TOO_LARGE' | 'INGRESS_OVERLOADED' | 'BODY_UNREADABLE') => {
      stream.destroy();
      reject(new Refused(code));
    };
    stream.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > maxBytes) return refuse('INGRESS_BODY_TOO_LARGE');
      // Once as a piece, once in the whole.
      if (!take(2 * piece.length)) return refuse('INGRESS_OVERLOADED');
      pieces.push(piece);
    });
    stream.on('end', () => resolve(Buffer.concat(pieces, length)));
    stream.on('error', () => refuse('BODY_UNREADABLE'));
    stream.end(received);
  });
}
