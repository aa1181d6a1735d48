import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { type HttpFacts, isGzip } from '@email-events/esps';
import type { Holding } from './byte-budget.ts';
import { Refused } from './codes.ts';
import { WholeRequest } from './whole-request.ts';

const EMPTY = Buffer.alloc(0);
const SMALLEST_GROWTH = 16_384;

/** Headers under which no body would be taken. Throws Refused before any of it is read. */
export function checkBodyHeaders(
  { headers }: IncomingMessage,
  { contentTypes, contentEncodings = [] }: Pick<HttpFacts, 'contentTypes' | 'contentEncodings'>,
  maxBytes: number,
): void {
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  if (
    encoding !== undefined &&
    encoding !== 'identity' &&
    !(contentEncodings as readonly string[]).includes(encoding)
  ) {
    throw new Refused('INGRESS_ENCODING_UNSUPPORTED');
  }
  // "gzip, chunked" would be compressed as well.
  const transfer = headers['transfer-encoding'];
  if (transfer !== undefined && transfer.trim().toLowerCase() !== 'chunked') {
    throw new Refused('INGRESS_ENCODING_UNSUPPORTED');
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw new Refused('INGRESS_BODY_TOO_LARGE');
  if (contentTypes.length > 0 && !contentTypes.includes(mediaType(headers['content-type']))) {
    throw new Refused('INGRESS_MEDIA_TYPE_UNSUPPORTED');
  }
}

/**
 * The body, byte for byte. To be called before any of it has come. What it takes of the budget stays taken until the holding is released.
 * Throws Refused: INGRESS_BODY_TOO_LARGE, INGRESS_OVERLOADED, INGRESS_BODY_TRUNCATED.
 */
export function readBody(request: IncomingMessage, maxBytes: number, holding: Holding): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? maxBytes);
  const body = new GrowingBody(Math.min(maxBytes, declared), holding);
  return new Promise((resolve, reject) => {
    // These hold the promise, and that the body. An idle connection keeps its last request with its listeners, which must not hold them then.
    let open: { resolve(whole: Buffer): void; reject(error: Refused): void } | undefined = {
      resolve,
      reject,
    };
    const refuse = (code: 'INGRESS_BODY_TOO_LARGE' | 'INGRESS_OVERLOADED' | 'INGRESS_BODY_TRUNCATED') => {
      const settle = open;
      if (!settle) return;
      open = undefined;
      body.drop();
      settle.reject(new Refused(code));
    };
    const cut = () => refuse('INGRESS_BODY_TRUNCATED');
    holding.onGivenUp = () => refuse('INGRESS_OVERLOADED');
    const data = (piece: Buffer) => {
      if (!open) return;
      if (body.length + piece.length > maxBytes) return refuse('INGRESS_BODY_TOO_LARGE');
      if (!body.append(piece)) refuse('INGRESS_OVERLOADED');
    };
    const end = () => {
      const settle = open;
      if (!settle) return;
      open = undefined;
      holding.arrived();
      settle.resolve(body.bytes());
      body.drop();
    };
    if (request instanceof WholeRequest) request.giveTo({ data, end });
    else request.on('data', data).on('end', end);
    request.on('error', cut);
    request.on('close', cut);
  });
}

/**
 * Takes in the pieces of a body. If the ingress kept a list of them, a sender could make it hold a hundred times the body by sending one
 * byte a piece; here a body takes at most twice its length, and all of that is counted.
 */
class GrowingBody {
  length = 0;
  readonly #expected: number;
  readonly #holding: Holding;
  #buffer: Buffer = EMPTY;

  constructor(expected: number, holding: Holding) {
    this.#expected = expected;
    this.#holding = holding;
  }

  /** No if there is no memory for it. */
  append(piece: Buffer): boolean {
    const needed = this.length + piece.length;
    if (this.length === 0) {
      // Most bodies come in one piece.
      if (!this.#holding.take(piece.length)) return false;
      this.#buffer = piece;
    } else {
      if (needed > this.#buffer.length && !this.#grow(needed)) return false;
      piece.copy(this.#buffer, this.length);
    }
    this.length = needed;
    return true;
  }

  bytes(): Buffer {
    return this.length === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.length);
  }

  drop(): void {
    this.#buffer = EMPTY;
  }

  #grow(needed: number): boolean {
    const size = Math.max(needed, Math.min(this.#expected, Math.max(SMALLEST_GROWTH, 2 * needed)));
    if (!this.#holding.take(size - this.#buffer.length)) return false;
    const larger = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
    return true;
  }
}

function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return '';
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/**
 * The body as the ESP wrote it, before it was compressed: this is what it signs, and what normalize reads. Unpacked in the
 * thread pool, piece by piece: of what is larger than `maxBytes` no more is unpacked than that. `holding` is asked for memory.
 * Throws Refused: INGRESS_BODY_TOO_LARGE, INGRESS_OVERLOADED, BODY_UNREADABLE.
 */
export function decodedBody(
  received: Buffer,
  encoding: string | undefined,
  http: Pick<HttpFacts, 'contentEncodings'>,
  maxBytes: number,
  holding: Pick<Holding, 'take'>,
): Buffer | Promise<Buffer> {
  return isGzip(http, encoding, received) ? gunzip(received, maxBytes, holding) : received;
}

function gunzip(received: Buffer, maxBytes: number, holding: Pick<Holding, 'take'>): Promise<Buffer> {
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
      if (!holding.take(2 * piece.length)) return refuse('INGRESS_OVERLOADED');
      pieces.push(piece);
    });
    stream.on('end', () => resolve(Buffer.concat(pieces, length)));
    stream.on('error', () => refuse('BODY_UNREADABLE'));
    stream.end(received);
  });
}
