/** What a request's token says of it: never seen, with this body, or with another one. */
export type TokenVerdict = 'new' | 'same' | 'other';

/** Bytes of one entry of the changelog: digest of source and token, digest of the body. */
export const ENTRY_BYTES = 32;
const HALF = ENTRY_BYTES / 2;

export interface TokenMemoryOptions {
  /** How long a token is remembered after the request that brought it, at least. Milliseconds. */
  readonly windowMs: number;
  /** Entries beyond which the oldest are forgotten before their time. About 100 bytes each. */
  readonly maxEntries: number;
  /** The oldest were forgotten although their time was not up. */
  readonly onOverflow: (forgotten: number) => void;
}

interface Generation {
  /** Of its first entry; milliseconds. */
  readonly from: number;
  readonly bodies: Map<string, string>;
}

/** Which body each token came with first. Time is that of the requests, so that reading late forgets nothing early. */
export class TokenMemory {
  private readonly options: TokenMemoryOptions;
  /** Newest last. */
  private readonly generations: Generation[] = [];

  constructor(options: TokenMemoryOptions) {
    this.options = options;
  }

  get size(): number {
    return this.generations.reduce((sum, { bodies }) => sum + bodies.size, 0);
  }

  judge(entry: Buffer): TokenVerdict {
    const token = entry.toString('latin1', 0, HALF);
    for (const { bodies } of this.generations) {
      const body = bodies.get(token);
      if (body !== undefined) return body === entry.toString('latin1', HALF) ? 'same' : 'other';
    }
    return 'new';
  }

  /** Entries of one transaction; the first body of a token stays. */
  add(entries: Buffer, seenAt: number): void {
    if (entries.length === 0) return;
    const generation = this.current(seenAt);
    for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
      const entry = entries.subarray(at, at + ENTRY_BYTES);
      if (this.judge(entry) === 'new')
        generation.bodies.set(entry.toString('latin1', 0, HALF), entry.toString('latin1', HALF));
    }
    this.forget(seenAt);
  }

  private current(seenAt: number): Generation {
    const { windowMs, maxEntries } = this.options;
    const newest = this.generations.at(-1);
    if (newest && seenAt - newest.from < windowMs / 2 && newest.bodies.size < maxEntries / 4) return newest;
    const next = { from: Math.max(seenAt, newest?.from ?? seenAt), bodies: new Map<string, string>() };
    this.generations.push(next);
    return next;
  }

  /** A generation ends where the next one begins. */
  private forget(now: number): void {
    const { windowMs, maxEntries, onOverflow } = this.options;
    for (let next = this.generations[1]; next; next = this.generations[1]) {
      const isOver = now - next.from > windowMs;
      if (!isOver && this.size <= maxEntries) return;
      const [oldest] = this.generations.splice(0, 1);
      if (!isOver) onOverflow(oldest?.bodies.size ?? 0);
    }
  }
}
