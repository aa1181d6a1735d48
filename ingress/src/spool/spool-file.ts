import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { CodedError } from '@email-events/schemas/errors';
import type { IngressCode } from '../codes.ts';

/** A request as the spool keeps it: headers as JSON of texts (one character a byte), the body as it is. */
export interface SpooledRecord {
  readonly headers: string;
  readonly value: Uint8Array;
}

export interface StoredRecord extends SpooledRecord {
  /** Order of acceptance within its file. */
  readonly seq: number;
}

/** The records of a file that were not taken out yet. */
export interface FileCounts {
  readonly records: number;
  readonly bytes: number;
}

const FORMAT = 1;
const PROBE_BYTES = 262_144;

/**
 * A rollback journal, not a WAL: a commit is in the file itself, whose header knows how many pages there are, so a file
 * that was cut short is noticed. A WAL that was cut short is just taken for a shorter one.
 * TRUNCATE + FULL: the journal, the file and the end of the journal are each synced before a commit returns.
 */
const PRAGMAS = 'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;';
const SCHEMA = `
  BEGIN EXCLUSIVE;
  CREATE TABLE records (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, headers TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL);
  CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL);
  CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL);
  INSERT INTO state VALUES (1, 0, 0, 0);
  PRAGMA user_version = ${FORMAT};
  COMMIT;`;

/**
 * Requests in one SQLite file, for one process at a time. What `append` has returned for is on the disk. Every record
 * has a checksum and the file counts its records, because SQLite by itself does not notice a changed byte or a lost row.
 */
export class SpoolFile {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #delete: StatementSync;
  readonly #update: StatementSync;
  readonly #pages: StatementSync;
  #counts: FileCounts = { records: 0, bytes: 0 };
  /** The lowest and the highest seq there may be. */
  first = 1;
  last = 0;
  /** Not what was written: records may be missing. Such a file is read as far as possible, never written. */
  readonly damaged: boolean;

  /** Makes a new file. Throws SpoolFileError. */
  static create(path: string): void {
    attempt(() => {
      const database = new DatabaseSync(path, { timeout: 0 });
      try {
        database.exec(PRAGMAS + SCHEMA);
      } finally {
        database.close();
      }
    });
  }

  /** Throws SpoolFileError, with `damage` if nothing at all can be read from the file. */
  static open(path: string): SpoolFile {
    try {
      return attempt(() => new SpoolFile(path, false));
    } catch (error) {
      if (!isDamage(error)) throw error;
      return attempt(() => new SpoolFile(path, true));
    }
  }

  private constructor(path: string, damaged: boolean) {
    this.damaged = damaged;
    // Without writable_schema SQLite refuses to read anything of a file that was cut short.
    this.#database = new DatabaseSync(path, { timeout: 0, defensive: !damaged });
    try {
      if (damaged) this.#database.exec('PRAGMA writable_schema = ON');
      this.#database.exec(PRAGMAS);
      const prepare = (sql: string) => this.#database.prepare(sql);
      this.#insert = prepare('INSERT INTO records VALUES (?, ?, ?, ?, ?)');
      this.#select = prepare('SELECT at, headers, value, crc FROM records WHERE seq = ?');
      this.#delete = prepare('DELETE FROM records WHERE seq = ?');
      this.#update = prepare('UPDATE state SET last = ?, records = ?, bytes = ?');
      this.#pages = prepare(
        'SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) AS bytes',
      );
      if (damaged) this.#estimate();
      else this.#check();
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  get counts(): FileCounts {
    return this.#counts;
  }

  /** Beyond this many bytes `append` throws `full`. */
  limit(bytes: number): void {
    this.#database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(bytes / 4_096))}`);
  }

  /** Bytes of the file, used or free. */
  get fileBytes(): number {
    return Number(this.#pages.get()?.bytes);
  }

  /** All of them are synced to the disk, or none is in the file. `at`: epoch milliseconds. Throws SpoolFileError. */
  append(records: readonly SpooledRecord[], at: number): void {
    let { last } = this;
    let { bytes } = this.#counts;
    const counts = { records: this.#counts.records + records.length, bytes };
    this.#transact(() => {
      for (const { headers, value } of records) {
        last++;
        bytes += sizeOf({ headers, value });
        this.#insert.run(last, at, headers, value, checksum(last, at, headers, value));
      }
      counts.bytes = bytes;
      this.#update.run(last, counts.records, counts.bytes);
    });
    this.last = last;
    this.#counts = counts;
  }

  /** The record, undefined if there is none, or `damaged`. Throws SpoolFileError when the disk does not read. */
  read(seq: number): StoredRecord | undefined | 'damaged' {
    try {
      const row = attempt(() => this.#select.get(seq));
      if (!row) return undefined;
      const { at, headers, value, crc } = row;
      const whole = typeof headers === 'string' && value instanceof Uint8Array;
      if (!whole || checksum(seq, Number(at), headers, value) !== crc) return 'damaged';
      return { seq, headers, value };
    } catch (error) {
      if (isDamage(error)) return 'damaged';
      throw error;
    }
  }

  /** When the record was spooled, epoch milliseconds. */
  spooledAt(seq: number): number | undefined {
    try {
      return Number(this.#select.get(seq)?.at ?? Number.NaN) || undefined;
    } catch {
      return undefined;
    }
  }

  /** Takes records out. Throws SpoolFileError. */
  remove(records: readonly { readonly seq: number; readonly bytes: number }[]): void {
    let { records: left, bytes: bytesLeft } = this.#counts;
    this.#transact(() => {
      for (const { seq, bytes } of records) {
        if (Number(this.#delete.run(seq).changes) === 0) continue;
        left--;
        bytesLeft -= bytes;
      }
      this.#update.run(this.last, left, bytesLeft);
    });
    this.#counts = { records: left, bytes: bytesLeft };
  }

  /** Whether a write would succeed, tried on the disk. Throws SpoolFileError. */
  probe(): void {
    this.#transact(() =>
      this.#database.prepare('INSERT OR REPLACE INTO probe VALUES (1, zeroblob(?))').run(PROBE_BYTES),
    );
    this.#transact(() => this.#database.exec('DELETE FROM probe'));
  }

  close(): void {
    this.#database.close();
  }

  /** The file must hold as many records as it says. */
  #check(): void {
    const state = this.#database.prepare('SELECT last, records, bytes FROM state').get();
    const found = this.#database
      .prepare('SELECT count(*) AS n, min(seq) AS first, max(seq) AS last FROM records')
      .get();
    const version = this.#database.prepare('PRAGMA user_version').get()?.user_version;
    const last = Number(state?.last);
    const whole =
      version === FORMAT && state && state.records === found?.n && Number(found?.last ?? 0) <= last;
    if (!whole) throw new SpoolFileError('damage');
    this.last = last;
    this.first = Number(found?.first ?? last + 1);
    this.#counts = { records: Number(state.records), bytes: Number(state.bytes) };
  }

  /** As much as can be found out. */
  #estimate(): void {
    const ask = (sql: string): number => {
      try {
        return Number(this.#database.prepare(sql).get()?.n ?? 0);
      } catch {
        return 0;
      }
    };
    this.last = Math.max(ask('SELECT max(seq) AS n FROM records'), ask('SELECT last AS n FROM state'));
    this.#counts = {
      records: ask('SELECT records AS n FROM state'),
      bytes: ask('SELECT bytes AS n FROM state'),
    };
  }

  #transact(work: () => void): void {
    attempt(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        work();
        this.#database.exec('COMMIT');
      } catch (error) {
        // SQLite has often done it by itself.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }
}

export function sizeOf({ headers, value }: SpooledRecord): number {
  return headers.length + value.length;
}

function checksum(seq: number, at: number, headers: string, value: Uint8Array): number {
  return crc32(value, crc32(`${seq} ${at} ${headers}`));
}

/** full: no space for it. damage: what is in the file is not what was written. io: the disk does not work now. */
export type SpoolFileProblem = 'full' | 'damage' | 'io';

const CODES = {
  full: 'INGRESS_SPOOL_FULL',
  damage: 'INGRESS_SPOOL_DAMAGED',
  io: 'INGRESS_SPOOL_UNAVAILABLE',
} as const satisfies { readonly [problem in SpoolFileProblem]: IngressCode };

export class SpoolFileError extends CodedError<IngressCode> {
  override readonly name = 'SpoolFileError';
  readonly problem: SpoolFileProblem;

  constructor(problem: SpoolFileProblem, options?: ErrorOptions) {
    super(CODES[problem], problem, options);
    this.problem = problem;
  }
}

export function isDamage(error: unknown): boolean {
  return error instanceof SpoolFileError && error.problem === 'damage';
}

const SQLITE_FULL = 13;
/** perm, busy, locked, nomem, readonly, ioerr, cantopen, protocol: nothing that the file's content is to blame for. */
const SQLITE_TRANSIENT: readonly number[] = [3, 5, 6, 7, 8, 10, 14, 15];

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof SpoolFileError) throw cause;
    throw new SpoolFileError(problemOf(cause), { cause });
  }
}

function problemOf(error: unknown): SpoolFileProblem {
  const { errcode } = error as { errcode?: unknown };
  if (typeof errcode !== 'number') return 'damage';
  // The low byte is the kind, the rest says more about it.
  const kind = errcode & 0xff;
  if (kind === SQLITE_FULL) return 'full';
  return SQLITE_TRANSIENT.includes(kind) ? 'io' : 'damage';
}
