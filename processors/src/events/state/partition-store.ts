import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { isPseudonym, PipelineError } from '@email-events/core';
import { avroType, type RecipientState } from '@email-events/schemas';
import { type Database, open, type RootDatabase } from 'lmdb';
import {
  checkStoreFile,
  diskFull,
  ID_BYTES,
  isDiskError,
  isStoreError,
  STORE_FILE,
  unusable,
} from './store-file.ts';
import { makeRoom, NO_PUTS } from './store-room.ts';

/** Counts of events of a partition since its beginning. received = emitted + duplicates + deadLettered + erased. */
export interface Totals {
  readonly received: number;
  readonly emitted: number;
  readonly duplicates: number;
  readonly deadLettered: number;
  /** Dropped because their recipient was erased. */
  readonly erased: number;
}

/** States by recipient key; null: nothing is known any more. */
export type States = ReadonlyMap<string, RecipientState | null>;

/** How far the store mirrors its changelogs: offset of the last record applied, -1 for none. */
interface Positions {
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
  readonly recipients: States;
}

/** Tells a store apart from one of another cluster, application or partition. */
export interface StoreIdentity {
  readonly clusterId: string;
  readonly application: string;
  readonly partition: number;
}

export interface StoreSize {
  readonly ids: number;
  readonly recipients: number;
  /** Of the file, which LMDB reuses but never shrinks. */
  readonly bytes: number;
}

const FORMAT = 4;
const NOTHING = Buffer.alloc(0);
const NO_TOTALS: Totals = { received: 0, emitted: 0, duplicates: 0, deadLettered: 0, erased: 0 };
const NO_POSITIONS: Positions = { seen: -1, recipientState: -1 };

interface Meta extends Positions {
  format: number;
  /** Version of the schema of recipients' states. */
  schema: string;
  identity: StoreIdentity;
  /** Buckets are numbered by it. */
  windowMs: number;
  totals: Totals;
  hasErased: boolean;
}

/**
 * The state of one partition on local disk (LMDB): a materialised view of two changelogs and nothing more.
 * Ids lie in one database per half window, so expiry drops a database and a look-up asks at most three.
 */
export class PartitionStore {
  private readonly file: string;
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
  private damaged = false;

  /** In an existing folder. Throws STATE_UNUSABLE if the file is damaged, of another format, window or pipeline. */
  constructor(path: string, identity: StoreIdentity, windowMs: number, codec: StateCodec) {
    this.windowMs = windowMs;
    this.bucketMs = Math.ceil(windowMs / 2);
    this.codec = codec;
    this.file = `${path}/${STORE_FILE}`;
    checkStoreFile(this.file);
    this.root = this.guarded(() => open({ path: this.file, maxDbs: 32, noSubdir: true }));
    try {
      makeRoom(this.file, NO_PUTS);
      this.meta = this.openDatabase('meta', 'json');
      this.recipients = this.openDatabase('recipients', 'binary');
      this.state = this.readMeta(identity);
      for (const name of this.guarded(() => [...this.root.getKeys()])) {
        const bucket = /^seen-(\d+)$/.exec(String(name))?.[1];
        if (bucket !== undefined) this.bucket(Number(bucket));
      }
    } catch (error) {
      void this.root.close();
      throw error instanceof PipelineError ? error : unusable('the store cannot be read', error);
    }
  }

  get positions(): Positions {
    const { seen, recipientState } = this.state;
    return { seen, recipientState };
  }

  get totals(): Totals {
    return this.state.totals;
  }

  /** LMDB found damage: the files must go. Closing the stage that uses it discards them. */
  get isDamaged(): boolean {
    return this.damaged;
  }

  get size(): StoreSize {
    return this.guarded(() => ({
      ids: this.newestFirst.reduce((sum, bucket) => sum + entriesOf(bucket), 0),
      recipients: entriesOf(this.recipients),
      bytes: statSync(this.file).size,
    }));
  }

  has(id: Buffer): boolean {
    return this.reading(() => {
      for (const bucket of this.newestFirst) if (bucket.getBinaryFast(id) !== undefined) return true;
      return false;
    });
  }

  recipient(key: string): RecipientState | undefined {
    return this.reading(() => {
      const bytes = this.recipients.getBinary(storeKey(key));
      return bytes && this.codec.decode(bytes);
    });
  }

  /** Whether any recipient was ever erased. */
  get hasErased(): boolean {
    return this.state.hasErased;
  }

  /** Applies all of the change or nothing. Throws STATE_UNUSABLE if another owner has written meanwhile, STATE_DISK_FULL. */
  apply(change: StoreChange): void {
    const hasErased = this.state.hasErased || [...change.recipients.keys()].some(isPseudonym);
    const next: Meta = { ...this.state, ...change.to, totals: change.totals, hasErased };
    const states = [...change.recipients].map(
      ([key, state]) => [storeKey(key), state && this.codec.encode(state)] as const,
    );
    makeRoom(this.file, {
      ids: change.ids.reduce((sum, { bytes }) => sum + bytes.length / ID_BYTES, 0),
      recipients: states.length,
      bytes: states.reduce((sum, [, bytes]) => sum + (bytes?.length ?? 0), 0),
    });
    // A database cannot be opened inside a transaction.
    for (const { seenAt } of change.ids) this.bucket(this.bucketOf(seenAt));
    this.guarded(() =>
      this.root.transactionSync(() => {
        const stored = this.meta.get('meta') ?? NO_POSITIONS;
        if (stored.seen !== change.from.seen || stored.recipientState !== change.from.recipientState) {
          throw unusable('another process has written to the store');
        }
        for (const { seenAt, bytes } of change.ids) this.putIds(seenAt, bytes);
        for (const [key, state] of states)
          if (state) this.recipients.putSync(key, state);
          else this.recipients.removeSync(key);
        this.meta.putSync('meta', next);
      }),
    );
    this.state = next;
  }

  /** Forgets ids whose window has passed. */
  expire(now: number): void {
    for (const [number, bucket] of this.buckets) {
      if (!this.hasExpired(number, now)) continue;
      makeRoom(this.file, NO_PUTS);
      this.guarded(() => bucket.dropSync());
      this.buckets.delete(number);
      this.sortBuckets();
    }
  }

  /** Whether ids seen then would be forgotten by now. */
  isExpired(seenAt: number, now: number): boolean {
    return this.hasExpired(this.bucketOf(seenAt), now);
  }

  /** Ids of the same bucket lie in the same database. */
  bucketOf(seenAt: number): number {
    return Math.floor(seenAt / this.bucketMs);
  }

  async close(): Promise<void> {
    await this.root.close();
  }

  private readMeta(identity: StoreIdentity): Meta {
    const { windowMs } = this;
    const { version: schema } = this.codec;
    let found: Meta | undefined;
    try {
      found = this.guarded(() => this.meta.get('meta'));
    } catch (error) {
      if (error instanceof SyntaxError) throw unusable('the store does not say what it is', error);
      throw error;
    }
    if (!found)
      return {
        format: FORMAT,
        schema,
        identity,
        windowMs,
        totals: NO_TOTALS,
        hasErased: false,
        ...NO_POSITIONS,
      };
    if (found.format !== FORMAT || !sameIdentity(found.identity, identity)) {
      throw unusable('the store belongs to another pipeline or version');
    }
    if (found.schema !== schema) throw unusable('the store holds states of another version of their schema');
    if (found.windowMs !== windowMs) throw unusable('the store was made for another dedupe window');
    return found;
  }

  private openDatabase<V, K extends string | Buffer>(
    name: string,
    encoding: 'json' | 'binary',
    keyEncoding?: 'binary',
  ): Database<V, K> {
    return this.guarded(() =>
      this.root.openDB<V, K>({ name, encoding, ...(keyEncoding ? { keyEncoding } : {}) }),
    );
  }

  /** An entry that cannot be read means damage, whether LMDB, its binding or the codec finds it. */
  private reading<T>(work: () => T): T {
    try {
      return this.guarded(work);
    } catch (error) {
      if (error instanceof PipelineError) throw error;
      this.damaged = true;
      throw unusable('the store cannot be read', error);
    }
  }

  private guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isStoreError(error)) throw error;
      if (isDiskError(error)) throw diskFull(error);
      this.damaged = true;
      throw unusable('the store cannot be read or written', error);
    }
  }

  private hasExpired(bucket: number, now: number): boolean {
    return (bucket + 1) * this.bucketMs + this.windowMs <= now;
  }

  private putIds(seenAt: number, bytes: Buffer): void {
    const bucket = this.bucket(this.bucketOf(seenAt));
    for (let at = 0; at < bytes.length; at += ID_BYTES) {
      bucket.putSync(bytes.subarray(at, at + ID_BYTES), NOTHING);
    }
  }

  private bucket(number: number): Database<Buffer, Buffer> {
    const known = this.buckets.get(number);
    if (known) return known;
    const bucket = this.openDatabase<Buffer, Buffer>(`seen-${number}`, 'binary', 'binary');
    this.buckets.set(number, bucket);
    this.sortBuckets();
    return bucket;
  }

  private sortBuckets(): void {
    this.newestFirst = [...this.buckets].sort(([a], [b]) => b - a).map(([, bucket]) => bucket);
  }
}

const entriesOf = (database: { getStats(): object }): number =>
  (database.getStats() as { entryCount?: number }).entryCount ?? 0;

const sameIdentity = (a: StoreIdentity, b: StoreIdentity) =>
  a?.clusterId === b.clusterId && a.application === b.application && a.partition === b.partition;

/** LMDB keys are limited to 1978 bytes; what claims to be an address may be longer. */
const storeKey = (key: string) => (key.length > 480 ? `sha256 ${hash('sha256', key)}` : key);

/** How the store keeps recipients' states. */
export interface StateCodec {
  /** Of the schema: bytes of another one are not to be decoded. */
  readonly version: string;
  encode(state: RecipientState): Buffer;
  decode(bytes: Buffer): RecipientState;
}

/** The store belongs to one version of the schema, so its bytes need no schema id. */
export function stateCodec(): StateCodec {
  const type = avroType('recipientState');
  return {
    version: type.fingerprint('sha256').toString('hex'),
    encode: (state) => type.toBuffer(state),
    decode: (bytes) => type.fromBuffer(bytes),
  };
}
