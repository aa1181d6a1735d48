import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Lock, tryLock } from '@email-events/core/process-lock';
import {
  isDamage,
  type SpooledRecord,
  SpoolFile,
  SpoolFileError,
  type StoredRecord,
  sizeOf,
} from './spool-file.ts';

const FILE = 'spool.db';
const LOCK = 'lock';
const SET_ASIDE = 'set-aside';
/** UUIDv7: in the order in which they were made. */
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** A removal that failed (disk full) is caught up with later, at most so many at a time. */
const MOST_REMOVED = 2_000;

/**
 * One spool: a folder with the file and a lock that the operating system takes back when its holder dies. The process
 * that has the lock owns all of it; no other touches it. Requests are taken out in order with `next` and `settle`.
 */
export class SpoolFolder {
  readonly id: string;
  readonly #dir: string;
  readonly #lock: Lock;
  readonly #file: SpoolFile;
  /** All before it are settled. */
  #next: number;
  /** Settled, from #next on. */
  readonly #settled = new Set<number>();
  /** Published but still in the file. */
  #unremoved: { readonly seq: number; readonly bytes: number }[] = [];
  /** Must not be thrown away: records that could not be read, or that Kafka refuses. */
  readonly #kept = new Set<number>();

  static create(dir: string, id: string): SpoolFolder {
    mkdirSync(join(dir, id));
    const lock = tryLock(join(dir, id, LOCK));
    if (!lock) throw new Error(`somebody else has the lock of ${id}`);
    try {
      // A file under its final name is whole, so one that lacks its tables is damaged.
      const path = join(dir, id, FILE);
      SpoolFile.create(`${path}.new`);
      renameSync(`${path}.new`, path);
      syncFolder(join(dir, id));
      syncFolder(dir);
      return new SpoolFolder(dir, id, lock, SpoolFile.open(path));
    } catch (error) {
      rmSync(join(dir, id), { recursive: true, force: true });
      lock.release();
      throw error;
    }
  }

  /** Null if another process has it or it is gone. Throws SpoolFileError; one of which nothing can be read is set aside then. */
  static adopt(dir: string, id: string): SpoolFolder | null {
    const path = join(dir, id, FILE);
    const lock = tryLock(join(dir, id, LOCK));
    if (!lock) return null;
    try {
      if (existsSync(path)) return new SpoolFolder(dir, id, lock, SpoolFile.open(path));
      // Its maker died before there was anything in it, or another process has just drained it.
      rmSync(join(dir, id), { recursive: true, force: true });
      lock.release();
      return null;
    } catch (error) {
      if (isDamage(error)) setAsideFolder(dir, id);
      lock.release();
      throw error;
    }
  }

  private constructor(dir: string, id: string, lock: Lock, file: SpoolFile) {
    this.#dir = dir;
    this.id = id;
    this.#lock = lock;
    this.#file = file;
    this.#next = file.first;
  }

  get damaged(): boolean {
    return this.#file.damaged;
  }

  /** Records that wait to be drained. */
  get records(): number {
    return this.drained
      ? 0
      : Math.max(0, this.#file.counts.records - this.#unremoved.length - this.#kept.size);
  }

  get bytes(): number {
    return this.drained ? 0 : this.#file.counts.bytes;
  }

  get fileBytes(): number {
    return this.#file.fileBytes;
  }

  /** Nothing is left to be read. */
  get drained(): boolean {
    return this.#next > this.#file.last;
  }

  /** Records that are in it for an operator to look at, unless it is damaged. */
  get keeps(): number {
    return this.#kept.size;
  }

  /** Once it is drained: records that it should have had and that are not in it. */
  get missing(): number {
    const known = this.#unremoved.length + this.#kept.size;
    return this.drained && !this.damaged ? Math.max(0, this.#file.counts.records - known) : 0;
  }

  /** Whether all that was in it is known to be in Kafka and gone from the file. */
  get clean(): boolean {
    return this.worthless && this.#unremoved.length === 0;
  }

  /** Whether all that was in it is known to be in Kafka. */
  get worthless(): boolean {
    return this.drained && !this.damaged && this.#kept.size === 0 && this.missing === 0;
  }

  /** Epoch milliseconds; undefined if nothing waits. */
  oldestAt(): number | undefined {
    return this.drained ? undefined : this.#file.spooledAt(this.#next);
  }

  /** See SpoolFile. `maxBytes`: what the file may grow to. */
  append(records: readonly SpooledRecord[], at: number, maxBytes: number): void {
    this.#mustExist();
    this.#file.limit(maxBytes);
    this.#file.append(records, at);
  }

  probe(maxBytes: number): void {
    this.#mustExist();
    this.#file.limit(maxBytes);
    this.#file.probe();
  }

  /** The next records in order, within the limits but at least one if there is one. */
  next(maxRecords: number, maxBytes: number): StoredRecord[] {
    const found: StoredRecord[] = [];
    let bytes = 0;
    for (let seq = this.#next; seq <= this.#file.last && found.length < maxRecords; seq++) {
      if (this.#settled.has(seq)) continue;
      const record = this.#file.read(seq);
      if (record === 'damaged') this.#kept.add(seq);
      if (record === undefined || record === 'damaged') {
        this.#settled.add(seq);
        continue;
      }
      bytes += sizeOf(record);
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(record);
    }
    this.#advance();
    return found;
  }

  /** Never comes to them again. What was published is taken out of the file, what was refused stays in it. */
  settle(published: readonly StoredRecord[], refused: readonly StoredRecord[]): void {
    for (const { seq } of refused) this.#kept.add(seq);
    for (const { seq } of [...published, ...refused]) this.#settled.add(seq);
    this.#advance();
    if (this.damaged) return;
    for (const record of published) this.#unremoved.push({ seq: record.seq, bytes: sizeOf(record) });
    const removable = this.#unremoved.slice(0, MOST_REMOVED);
    this.#file.remove(removable);
    this.#unremoved = this.#unremoved.slice(removable.length);
  }

  /** Closes the file and gives the lock back: another process may take the spool then. */
  release(): void {
    try {
      this.#file.close();
    } finally {
      this.#lock.release();
    }
  }

  /** Everything in it is in Kafka: away with it. */
  discard(): void {
    this.#file.close();
    // The file first: a folder without it is nothing to anybody who gets at the lock meanwhile.
    rmSync(join(this.#dir, this.id, FILE), { force: true });
    rmSync(join(this.#dir, this.id), { recursive: true, force: true });
    this.#lock.release();
  }

  /** Keeps it for an operator to look at. */
  setAside(): void {
    this.#file.close();
    try {
      setAsideFolder(this.#dir, this.id);
    } finally {
      this.#lock.release();
    }
  }

  /** A write to a file that was deleted is lost, and raises no error. */
  #mustExist(): void {
    if (!existsSync(join(this.#dir, this.id, FILE))) throw new SpoolFileError('io');
  }

  #advance(): void {
    while (this.#settled.delete(this.#next)) this.#next++;
  }
}

/** Spools there are, oldest first, in use or not. */
export function spoolIds(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => ID.test(name))
    .sort();
}

/** Bytes that spools take on the disk, without `except` and without those set aside. */
export function diskBytes(dir: string, except: string | undefined): number {
  let bytes = 0;
  for (const id of spoolIds(dir)) {
    if (id === except) continue;
    for (const name of [FILE, `${FILE}-journal`]) {
      bytes += statSync(join(dir, id, name), { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return bytes;
}

export function setAsideFolder(dir: string, id: string): void {
  mkdirSync(join(dir, SET_ASIDE), { recursive: true });
  renameSync(join(dir, id), join(dir, SET_ASIDE, id));
  syncFolder(dir);
}

export function setAsideIds(dir: string): string[] {
  return existsSync(join(dir, SET_ASIDE)) ? readdirSync(join(dir, SET_ASIDE)) : [];
}

/** Else a power cut could forget that there is a new name in it. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
