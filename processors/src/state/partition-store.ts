import { hash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { PipelineError } from '@email-events/core';
import type { RecipientState } from '@email-events/schemas';
import { type Database, open, type RootDatabase } from 'lmdb';

/** Counts of events of a partition since its beginning. received = emitted + duplicates + deadLettered. */
export interface Totals {
  readonly received: number;
  readonly emitted: number;
  readonly duplicates: number;
  readonly deadLettered: number;
}

/** How far the store mirrors its changelogs: offset of the last record applied, -1 for none. */
export interface Positions {
  readonly seen: number;
  readonly recipientState: number;
}

export interface StoreChange {
  /** Positions the change builds on; the change is refused if the store has moved on. */
  readonly from: Positions;
  readonly to: Positions;
  readonly totals: Totals;
  /** Event ids, 16 bytes each, and when they were seen (epoch ms). */
  readonly ids: readonly { readonly seenAt: number; readonly bytes: Buffer }[];
  readonly recipients: ReadonlyMap<string, RecipientState>;
}

/** What tells a store apart from one of another cluster or partition. */
export interface StoreIdentity {
  readonly clusterId: string;
  readonly application: string;
  readonly partition: number;
}

export interface StateCodec {
  encode(state: RecipientState): Buffer;
  decode(bytes: Buffer): RecipientState;
}

export const ID_BYTES = 16;
const FORMAT = 1;
const NOTHING = Buffer.alloc(0);
const NO_TOTALS: Totals = { received: 0, emitted: 0, duplicates: 0, deadLettered: 0 };
const NO_POSITIONS: Positions = { seen: -1, recipientState: -1 };

interface Meta extends Positions {
  format: number;
  identity: StoreIdentity;
  totals: Totals;
}

/**
 * The state of one partition on local disk (LMDB): a materialised view of two changelogs and nothing more.
 * Ids lie in one database per half window, so expiry drops a database and a look-up asks at most three.
 */
export class PartitionStore {
  private readonly root: RootDatabase;
  private readonly meta: Database<Meta, string>;
  private readonly recipients: Database<Buffer, string>;
  private readonly buckets = new Map<number, Database<Buffer, Buffer>>();
  /** Live buckets, newest first. */
  private newestFirst: Database<Buffer, Buffer>[] = [];
  private readonly bucketMs: number;
  private readonly windowMs: number;
  private readonly codec: StateCodec;
  private state: Meta;

  /** Throws STATE_UNUSABLE if the files are corrupt, of another format or of another pipeline. */
  constructor(path: string, identity: StoreIdentity, windowMs: number, codec: StateCodec) {
    this.windowMs = windowMs;
    this.bucketMs = Math.ceil(windowMs / 2);
    this.codec = codec;
    mkdirSync(path, { recursive: true });
    this.root = open({ path: `${path}/store.mdb`, maxDbs: 32, noSubdir: true });
    this.meta = this.root.openDB({ name: 'meta', encoding: 'json' });
    this.recipients = this.root.openDB({ name: 'recipients', encoding: 'binary' });
    this.state = this.meta.get('meta') ?? { format: FORMAT, identity, totals: NO_TOTALS, ...NO_POSITIONS };
    if (this.state.format !== FORMAT || !sameIdentity(this.state.identity, identity)) {
      void this.root.close();
      throw new PipelineError('STATE_UNUSABLE', 'retry', 'the store belongs to another pipeline or version');
    }
    for (const name of this.root.getKeys()) {
      const bucket = /^seen-(\d+)$/.exec(String(name))?.[1];
      if (bucket !== undefined) this.bucket(Number(bucket));
    }
  }

  get positions(): Positions {
    const { seen, recipientState } = this.state;
    return { seen, recipientState };
  }

  get totals(): Totals {
    return this.state.totals;
  }

  has(id: Buffer): boolean {
    for (const bucket of this.newestFirst) if (bucket.getBinaryFast(id) !== undefined) return true;
    return false;
  }

  recipient(key: string): RecipientState | undefined {
    const bytes = this.recipients.getBinary(storeKey(key));
    return bytes && this.codec.decode(bytes);
  }

  /** All of it or nothing. Throws STATE_UNUSABLE if somebody else has written meanwhile. */
  apply(change: StoreChange): void {
    const next: Meta = { ...this.state, ...change.to, totals: change.totals };
    // A database cannot be opened inside a transaction.
    for (const { seenAt } of change.ids) this.bucket(this.bucketOf(seenAt));
    this.root.transactionSync(() => {
      const stored = this.meta.get('meta') ?? NO_POSITIONS;
      if (stored.seen !== change.from.seen || stored.recipientState !== change.from.recipientState) {
        throw new PipelineError('STATE_UNUSABLE', 'retry', 'another process has written to the store');
      }
      for (const { seenAt, bytes } of change.ids) this.putIds(seenAt, bytes);
      for (const [key, state] of change.recipients)
        this.recipients.putSync(storeKey(key), this.codec.encode(state));
      this.meta.putSync('meta', next);
    });
    this.state = next;
  }

  /** Forgets ids whose window has passed. */
  expire(now: number): void {
    for (const [number, bucket] of this.buckets) {
      if ((number + 1) * this.bucketMs + this.windowMs > now) continue;
      bucket.dropSync();
      this.buckets.delete(number);
    }
    this.sortBuckets();
  }

  async close(): Promise<void> {
    await this.root.close();
  }

  private putIds(seenAt: number, bytes: Buffer): void {
    const bucket = this.bucket(this.bucketOf(seenAt));
    for (let at = 0; at < bytes.length; at += ID_BYTES) {
      bucket.putSync(bytes.subarray(at, at + ID_BYTES), NOTHING);
    }
  }

  private bucketOf(seenAt: number): number {
    return Math.floor(seenAt / this.bucketMs);
  }

  private bucket(number: number): Database<Buffer, Buffer> {
    const known = this.buckets.get(number);
    if (known) return known;
    const bucket: Database<Buffer, Buffer> = this.root.openDB({
      name: `seen-${number}`,
      encoding: 'binary',
      keyEncoding: 'binary',
    });
    this.buckets.set(number, bucket);
    this.sortBuckets();
    return bucket;
  }

  private sortBuckets(): void {
    this.newestFirst = [...this.buckets].sort(([a], [b]) => b - a).map(([, bucket]) => bucket);
  }
}

/** Deletes a store that cannot be trusted; the changelog rebuilds it. */
export function discardStore(path: string): void {
  if (existsSync(path)) rmSync(path, { recursive: true, force: true });
}

const sameIdentity = (a: StoreIdentity, b: StoreIdentity) =>
  a.clusterId === b.clusterId && a.application === b.application && a.partition === b.partition;

/** LMDB keys are limited to 1978 bytes; what claims to be an address may be longer. */
const storeKey = (key: string) => (key.length > 480 ? `sha256 ${hash('sha256', key)}` : key);
