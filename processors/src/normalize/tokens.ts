import { hash, randomUUID } from 'node:crypto';
import type { InputRecord, OutputRecord, OwnedPartition, RawRequest } from '@email-events/core';
import { type Decoder, type Encoder, type TokenBatch, topics } from '@email-events/schemas';

/** Reads and writes the changelog of the tokens. */
interface TokenCodec {
  readonly encoder: Encoder<TokenBatch>;
  readonly decoder: Decoder<TokenBatch>;
}

export interface TokensOptions extends TokenMemoryOptions {
  readonly codec: TokenCodec;
}

const DIGEST = /^[0-9a-f]{32}$/;

/**
 * Where a signature covers a token and not the body (Mailgun), anyone who has seen one request can sign any other. So a token is good for
 * one body: all requests of one token lie on one partition of email.raw, and their first body is remembered for longer than the
 * signature's time is believed. The changelog is written in the transactions of the stage, so it survives a change of the partition's owner.
 */
export class Tokens {
  private readonly options: TokensOptions;
  private readonly memory: TokenMemory;

  constructor(options: TokensOptions) {
    this.options = options;
    this.memory = new TokenMemory(options);
  }

  /** After earlier owners were fenced: nothing comes behind the barrier, so reading up to it leaves nothing out. */
  async restore(owned: OwnedPartition): Promise<void> {
    const { codec } = this.options;
    const barrier = randomUUID();
    await owned.write([recordOf(owned.partition, codec, { entries: Buffer.alloc(0), seen_at: 0, barrier })]);
    await owned.read(topics.tokens, owned.partition, 0, async (records) => {
      await codec.decoder.load(records.flatMap(({ value }) => value ?? []));
      for (const { value } of records) {
        if (value === null) continue;
        const batch = codec.decoder.decode(value);
        if (batch.barrier === barrier) return true;
        this.memory.add(batch.entries, batch.seen_at);
      }
      return false;
    });
  }

  begin(): TokenTransaction {
    return new TokenTransaction(this.memory, this.options.codec);
  }
}

/** The tokens of one transaction: they count for the records behind them at once, for others once it is committed. */
export class TokenTransaction {
  private readonly memory: TokenMemory;
  private readonly codec: TokenCodec;
  private readonly added: TokenMemory;
  private readonly entries: Buffer[] = [];
  private seenAt = 0;

  constructor(memory: TokenMemory, codec: TokenCodec) {
    this.memory = memory;
    this.codec = codec;
    const unbounded = { windowMs: Number.POSITIVE_INFINITY, maxEntries: Number.POSITIVE_INFINITY };
    this.added = new TokenMemory({ ...unbounded, onOverflow: () => {} });
  }

  /** True if the request's token came with another body before. */
  isReplayed({ value }: InputRecord, request: RawRequest | undefined): boolean {
    const digest = request?.tokenDigest;
    if (!request || typeof digest !== 'string' || !DIGEST.test(digest)) return false;
    const body = hash('sha256', value ?? '', 'buffer').subarray(0, ENTRY_BYTES / 2);
    const entry = Buffer.concat([Buffer.from(digest, 'hex'), body]);
    const verdict = this.judge(entry);
    if (verdict === 'new') {
      this.entries.push(entry);
      this.seenAt = Math.max(this.seenAt, request.receivedAt);
      this.added.add(entry, 0);
    }
    return verdict === 'other';
  }

  /** Nothing if it has no new token. */
  outputs(partition: number): OutputRecord[] {
    if (this.entries.length === 0) return [];
    const batch = { entries: Buffer.concat(this.entries), seen_at: this.seenAt, barrier: null };
    return [recordOf(partition, this.codec, batch)];
  }

  committed(): void {
    this.memory.add(Buffer.concat(this.entries), this.seenAt);
  }

  private judge(entry: Buffer): TokenVerdict {
    const known = this.memory.judge(entry);
    return known === 'new' ? this.added.judge(entry) : known;
  }
}

const recordOf = (partition: number, { encoder }: TokenCodec, batch: TokenBatch): OutputRecord => ({
  topic: topics.tokens,
  partition,
  key: null,
  value: encoder.encode(batch),
});

/** A request's token was never seen, came with this body, or came with another one. */
type TokenVerdict = 'new' | 'same' | 'other';

/** Bytes of one entry of the changelog: digest of source and token, digest of the body. */
export const ENTRY_BYTES = 32;
const HALF = ENTRY_BYTES / 2;

interface TokenMemoryOptions {
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
