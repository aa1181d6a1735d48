import type { IngressCode } from '../codes.ts';
import { newRequestId } from '../request-id.ts';
import { isDamage, type SpooledRecord, SpoolFileError, type StoredRecord } from './spool-file.ts';
import { diskBytes, SpoolFolder, setAsideIds, spoolIds } from './spool-folder.ts';

/** Why the spool does not take a request. */
export type SpoolProblem = Extract<IngressCode, 'INGRESS_SPOOL_FULL' | 'INGRESS_SPOOL_UNAVAILABLE'>;

/** The state of the store, which it reports after each request. */
export interface SpoolStatus {
  /** Undefined when it takes requests. */
  readonly problem: SpoolProblem | undefined;
  /** Requests that wait here: accepted by this process, or taken over from one that is gone. */
  readonly records: number;
  readonly bytes: number;
  /** Epoch milliseconds; undefined when nothing waits. */
  readonly oldestAt: number | undefined;
  /** Spools of this directory that an operator must look at. */
  readonly setAside: number;
}

/** Some requests of one spool, in order of their acceptance. */
export interface DrainBatch {
  readonly spool: string;
  readonly records: readonly StoredRecord[];
}

/** A message for the operator, to be logged. */
export interface SpoolNote {
  readonly level: 'info' | 'warn' | 'error';
  readonly code?: IngressCode;
  readonly text: string;
  readonly fields: { readonly [name: string]: string | number | undefined };
}

export interface StoreSettings {
  readonly dir: string;
  readonly maxBytes: number;
}

/** A request to the thread, which takes them one at a time and in order. */
export type StoreRequest =
  | {
      readonly type: 'append';
      readonly at: number;
      readonly headers: readonly string[];
      readonly lengths: readonly number[];
      readonly bodies: Uint8Array;
    }
  | { readonly type: 'next'; readonly maxRecords: number; readonly maxBytes: number }
  | {
      readonly type: 'settle';
      readonly spool: string;
      readonly published: readonly number[];
      readonly refused: readonly number[];
    }
  | { readonly type: 'probe' }
  | { readonly type: 'close' };

/** `append` is answered with the problem if it failed, `next` with a batch if there is one. */
export interface StoreReply {
  readonly id: number;
  readonly status: SpoolStatus;
  readonly problem?: SpoolProblem;
  readonly batch?: DrainBatch;
}

export type ThreadMessage = StoreReply | { readonly note: SpoolNote };

export interface StoreOptions extends StoreSettings {
  readonly note: (note: SpoolNote) => void;
  /** Milliseconds on a clock that does not jump. */
  readonly now?: () => number;
}

/** How often it is looked whether another process has left something. */
const SCAN_MS = 2_000;
const REOPEN_MS = 1_000;
/** Journals, and what several processes may add at the same moment. */
const RESERVE_BYTES = 1_048_576;
/** An emptied file keeps its size. Beyond this one a new file is begun. */
const LARGE_FILE_BYTES = 4 * 1_048_576;

/**
 * The spools of this process: its own, which takes requests, and one at a time of those that processes left which are gone.
 * All of this waits for the disk, so it runs in a separate thread.
 */
export class SpoolStore {
  readonly #options: Required<StoreOptions>;
  #own: SpoolFolder | undefined;
  #adopted: SpoolFolder | undefined;
  #problem: SpoolProblem | undefined;
  #handedOut: DrainBatch | undefined;
  #scanAt = 0;
  #reopenAt = 0;
  #setAside = 0;
  /** Said once for each. */
  readonly #unreadable = new Set<string>();

  constructor(options: StoreOptions) {
    this.#options = { now: () => performance.now(), ...options };
    this.#countSetAside();
    this.#open();
  }

  status(): SpoolStatus {
    const open = [this.#adopted, this.#own].filter((folder) => folder !== undefined);
    return {
      problem: this.#problem,
      records: open.reduce((sum, { records }) => sum + records, 0),
      bytes: open.reduce((sum, { bytes }) => sum + bytes, 0),
      oldestAt: open.map((folder) => folder.oldestAt()).find((at) => at !== undefined),
      setAside: this.#setAside,
    };
  }

  /** All of them are on the disk, or the problem is returned. */
  append(records: readonly SpooledRecord[], at: number): SpoolProblem | undefined {
    return this.#write((own, maxBytes) => own.append(records, at, maxBytes));
  }

  /** Tries whether requests can be taken again. */
  probe(): SpoolProblem | undefined {
    return this.#write((own, maxBytes) => own.probe(maxBytes));
  }

  /** The next requests to drain: first those of the spools that others left, oldest first, then of this process's own. */
  next(maxRecords: number, maxBytes: number): DrainBatch | undefined {
    this.#handedOut = undefined;
    for (;;) {
      this.#adopted ??= this.#adoptOldest();
      const folder = this.#adopted ?? this.#own;
      if (!folder) return undefined;
      const records = this.#read(folder, maxRecords, maxBytes);
      if (records.length > 0) {
        this.#handedOut = { spool: folder.id, records };
        return this.#handedOut;
      }
      if (!this.#finish(folder)) return undefined;
    }
  }

  /** By their `seq`: what Kafka has of the last batch, and what it will never take. */
  settle(spool: string, published: readonly number[], refused: readonly number[]): void {
    const batch = this.#handedOut;
    const folder = [this.#adopted, this.#own].find((open) => open?.id === spool);
    if (!batch || !folder || batch.spool !== spool) return;
    const of = (seqs: readonly number[]) => {
      const wanted = new Set(seqs);
      return batch.records.filter(({ seq }) => wanted.has(seq));
    };
    this.#handedOut = undefined;
    try {
      folder.settle(of(published), of(refused));
    } catch (error) {
      // It is remembered here and tried again with the next ones. After a crash they would be published twice.
      this.#note('warn', 'drained requests could not be taken out of the spool yet', {
        spool,
        cause: causeOf(error),
      });
    }
  }

  /** Leaves what is not drained to the next start, or to another process. */
  close(): void {
    this.#adopted?.release();
    if (this.#own?.clean) this.#own.discard();
    else this.#own?.release();
    this.#adopted = undefined;
    this.#own = undefined;
  }

  #write(work: (own: SpoolFolder, maxBytes: number) => void): SpoolProblem | undefined {
    if (!this.#own) this.#open();
    const own = this.#own;
    if (!own) return this.#problem ?? 'INGRESS_SPOOL_UNAVAILABLE';
    try {
      work(own, this.#options.maxBytes - diskBytes(this.#options.dir, own.id) - RESERVE_BYTES);
      this.#setProblem(undefined, undefined);
      return undefined;
    } catch (error) {
      // After a failed write it is not known what of the file is on the disk: it takes nothing more, it only drains.
      if (problemOf(error) !== 'INGRESS_SPOOL_FULL') this.#abandonOwn();
      return this.#setProblem(problemOf(error), error);
    }
  }

  #open(): void {
    const now = this.#options.now();
    if (now < this.#reopenAt) return;
    this.#reopenAt = now + REOPEN_MS;
    try {
      this.#own = SpoolFolder.create(this.#options.dir, newRequestId());
      this.#setProblem(undefined, undefined);
    } catch (error) {
      this.#setProblem(problemOf(error), error);
    }
  }

  /** It is found again by the process that looks for what others left, this one or another. */
  #abandonOwn(): void {
    try {
      if (this.#own?.clean) this.#own.discard();
      else this.#own?.release();
    } catch (error) {
      this.#note('warn', 'a spool could not be closed', { spool: this.#own?.id, cause: causeOf(error) });
    }
    this.#own = undefined;
  }

  #adoptOldest(): SpoolFolder | undefined {
    const now = this.#options.now();
    if (now < this.#scanAt) return undefined;
    this.#countSetAside();
    for (const id of this.#spoolIds()) {
      if (id === this.#own?.id) continue;
      const adopted = this.#adopt(id);
      if (!adopted) continue;
      this.#note('info', 'draining a spool that was left', { spool: id, records: adopted.records });
      if (adopted.damaged) {
        this.#note(
          'error',
          'a spool is damaged; what can be read of it is drained',
          { spool: id },
          'INGRESS_SPOOL_DAMAGED',
        );
      }
      return adopted;
    }
    this.#scanAt = now + SCAN_MS;
    return undefined;
  }

  #adopt(id: string): SpoolFolder | null {
    try {
      return SpoolFolder.adopt(this.#options.dir, id);
    } catch (error) {
      if (isDamage(error)) {
        this.#note(
          'error',
          'nothing can be read of a spool; it was set aside',
          { spool: id },
          'INGRESS_SPOOL_DAMAGED',
        );
        this.#countSetAside();
      } else if (!this.#unreadable.has(id)) {
        this.#unreadable.add(id);
        this.#note('warn', 'a spool that was left cannot be opened now', {
          spool: id,
          cause: causeOf(error),
        });
      }
      return null;
    }
  }

  #read(folder: SpoolFolder, maxRecords: number, maxBytes: number): StoredRecord[] {
    const before = folder.keeps;
    try {
      return folder.next(maxRecords, maxBytes);
    } catch (error) {
      this.#note('warn', 'a spool cannot be read now', { spool: folder.id, cause: causeOf(error) });
      return [];
    } finally {
      const unreadable = folder.keeps - before;
      if (unreadable > 0) {
        const fields = { spool: folder.id, records: unreadable };
        this.#note('error', 'records of a spool are damaged', fields, 'INGRESS_SPOOL_DAMAGED');
      }
    }
  }

  /** Of a spool from which nothing more comes: away with it, or aside. False if there is nothing to go on with. */
  #finish(folder: SpoolFolder): boolean {
    const own = folder === this.#own;
    if (!folder.drained) {
      // It does not read now. Later, perhaps.
      if (!own) this.#letGo(folder);
      return false;
    }
    const large = folder.fileBytes > LARGE_FILE_BYTES;
    if (own && folder.clean && !large) return false;
    if (own) this.#own = undefined;
    else this.#adopted = undefined;
    const fields = { spool: folder.id, records: folder.keeps + folder.missing };
    if (folder.missing > 0) {
      this.#note('error', 'records of a spool are not in its file', fields, 'INGRESS_SPOOL_DAMAGED');
    }
    try {
      if (folder.worthless) folder.discard();
      else {
        folder.setAside();
        this.#note('warn', 'a spool was set aside', fields);
      }
    } catch (error) {
      this.#note('warn', 'a drained spool could not be removed', { spool: folder.id, cause: causeOf(error) });
    }
    this.#countSetAside();
    if (own) {
      this.#reopenAt = 0;
      this.#open();
    }
    return !own;
  }

  #letGo(folder: SpoolFolder): void {
    this.#adopted = undefined;
    this.#scanAt = this.#options.now() + SCAN_MS;
    folder.release();
  }

  /** One line a change. */
  #setProblem(problem: SpoolProblem | undefined, error: unknown): SpoolProblem | undefined {
    if (problem === this.#problem) return problem;
    this.#problem = problem;
    if (problem) this.#note('error', 'the spool takes no requests now', { cause: causeOf(error) }, problem);
    else this.#note('info', 'the spool takes requests again', {});
    return problem;
  }

  #spoolIds(): string[] {
    try {
      return spoolIds(this.#options.dir);
    } catch {
      return [];
    }
  }

  #countSetAside(): void {
    try {
      this.#setAside = setAsideIds(this.#options.dir).length;
    } catch {
      // The operation that needs the directory reports it.
    }
  }

  #note(
    level: SpoolNote['level'],
    text: string,
    fields: SpoolNote['fields'],
    code?: SpoolNote['code'],
  ): void {
    this.#options.note({ level, text, fields, ...(code && { code }) });
  }
}

function problemOf(error: unknown): SpoolProblem {
  const full = error instanceof SpoolFileError ? error.problem === 'full' : codeIn(error) === 'ENOSPC';
  return full ? 'INGRESS_SPOOL_FULL' : 'INGRESS_SPOOL_UNAVAILABLE';
}

/** SQLite's own number or the system's code, for the log. */
function causeOf(error: unknown): string {
  const cause = error instanceof SpoolFileError ? error.cause : error;
  const { errcode } = (cause ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' ? `SQLITE_${errcode}` : (codeIn(cause) ?? String(cause));
}

function codeIn(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
