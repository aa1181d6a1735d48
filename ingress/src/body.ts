import type { IncomingMessage } from 'node:http';
import type { ByteBudget } from './byte-budget.ts';
import { Refused } from './codes.ts';

const EMPTY = Buffer.alloc(0);

/** Headers under which no body would be taken. Throws Refused before any of it is read. */
export function checkBodyHeaders(
  { headers }: IncomingMessage,
  contentTypes: readonly string[],
  maxBytes: number,
): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new Refused('INGRESS_ENCODING_UNSUPPORTED');
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw new Refused('INGRESS_BODY_TOO_LARGE');
  if (contentTypes.length > 0 && !contentTypes.includes(mediaType(headers['content-type']))) {
    throw new Refused('INGRESS_MEDIA_TYPE_UNSUPPORTED');
  }
}

/**
 * The body, byte for byte. What it takes from the budget is the caller's to give back: `taken` is told as it grows.
 * Throws Refused: INGRESS_BODY_TOO_LARGE, INGRESS_OVERLOADED, INGRESS_BODY_TRUNCATED.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  budget: ByteBudget,
  taken: (bytes: number) => void,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let done = false;
    const refuse = (code: 'INGRESS_BODY_TOO_LARGE' | 'INGRESS_OVERLOADED' | 'INGRESS_BODY_TRUNCATED') => {
      if (done) return;
      done = true;
      chunks.length = 0;
      reject(new Refused(code));
    };
    request.on('data', (chunk: Buffer) => {
      if (done) return;
      length += chunk.length;
      if (length > maxBytes) return refuse('INGRESS_BODY_TOO_LARGE');
      if (!budget.take(chunk.length)) return refuse('INGRESS_OVERLOADED');
      taken(chunk.length);
      chunks.push(chunk);
    });
    request.on('end', () => {
      if (done) return;
      done = true;
      resolve(
        chunks.length === 1 && chunks[0] ? chunks[0] : length === 0 ? EMPTY : Buffer.concat(chunks, length),
      );
    });
    request.on('error', () => refuse('INGRESS_BODY_TRUNCATED'));
    request.on('close', () => refuse('INGRESS_BODY_TRUNCATED'));
  });
}

function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return '';
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}
