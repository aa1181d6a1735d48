import {
  appendFileSync,
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { PipelineError } from '@email-events/core/errors';
import type { SuppressedContact, SuppressedPage } from '@email-events/sink-crm';

/** What a listing began with, and is worthless without. */
export interface ListingStart {
  /** Of the CRM, and the account that is listed. */
  readonly consumer: string;
  readonly account: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Where the CRM's consumer was by then, by partition: what is behind it was not yet for the CRM to have. */
  readonly committed: readonly (readonly [partition: number, offset: string])[];
}

/** A line of the file below the first. */
interface Page {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Null: it was the last. */
  readonly next: string | null;
  readonly contacts: readonly SuppressedContact[];
}

/** A listing that is older tells too little of how things are. Milliseconds. */
const FRESH_MS = 24 * 3_600_000;
const VERSION = 1;
/** How a listing of any version begins, also one whose first line has no end. */
const HEAD = /^\{"version":\d+,"consumer":"/;

/**
 * The pages of a CRM's listing, in a file: a run that ends early is gone on with by the next one. Each page is one line, written when it is
 * there as a whole; a line that is not whole counts as none. It holds addresses, so it is the user's alone, and gone once all is done.
 */
export class ListingProgress {
  readonly file: string;
  start: ListingStart;
  /** Where the listing goes on; undefined: at its beginning. */
  next: string | undefined;
  /** Whether the last page is there. */
  isWhole = false;
  /** Pages of an earlier run. */
  resumed = 0;
  private readonly take: (contact: SuppressedContact, at: number) => void;

  private constructor(file: string, start: ListingStart, take: ListingProgress['take']) {
    this.file = file;
    this.start = start;
    this.take = take;
  }

  /**
   * Goes on with what is in the file if that is of this CRM and not too old, else begins anew. `take` is given every contact, those that are in the
   * file first. Throws CLI_USAGE if the file cannot be written, or is another program's: that one stays as it is.
   */
  static async open(
    file: string,
    start: ListingStart,
    { fresh, take }: { readonly fresh: boolean; readonly take: ListingProgress['take'] },
  ): Promise<ListingProgress> {
    const progress = new ListingProgress(file, start, take);
    try {
      progress.requireOurs();
      if (fresh || !(await progress.resume())) progress.begin();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined || error instanceof PipelineError) throw error;
      throw unusable(file, code);
    }
    return progress;
  }

  add({ contacts, next }: SuppressedPage, at: number): void {
    const page: Page = { at, next: next ?? null, contacts };
    appendFileSync(this.file, `${JSON.stringify(page)}\n`);
    this.note(page);
  }

  /** The CRM does not know any more where the listing was. What was listed stays: whoever was suppressed then is taken for it still. */
  restart(): void {
    this.next = undefined;
  }

  remove(): void {
    rmSync(this.file, { force: true });
  }

  private begin(): void {
    mkdirSync(dirname(this.file), { recursive: true });
    rmSync(this.file, { force: true });
    const { consumer, account, startedAt, committed } = this.start;
    const first = JSON.stringify({ version: VERSION, consumer, account, startedAt, committed });
    writeFileSync(this.file, `${first}\n`, { mode: 0o600 });
  }

  /** What is not empty and does not begin as a listing does is somebody's, and not to be written over. */
  private requireOurs(): void {
    if (!existsSync(this.file)) return;
    if (!statSync(this.file).isFile()) throw unusable(this.file, 'no file');
    const opened = openSync(this.file, 'r');
    try {
      const head = Buffer.alloc(64);
      const length = readSync(opened, head);
      if (length > 0 && !HEAD.test(head.toString('latin1', 0, length)))
        throw unusable(this.file, 'it is no listing of crm reconcile');
    } finally {
      closeSync(opened);
    }
  }

  /** Whether there is something to go on with. */
  private async resume(): Promise<boolean> {
    if (!existsSync(this.file)) return false;
    const lines = createInterface({
      input: createReadStream(this.file),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    let good = 0;
    let before: ListingStart | undefined;
    for await (const line of lines) {
      const value = jsonOf(line);
      if (before === undefined) {
        if (!this.isOurs(value)) return false;
        before = value;
      } else if (isPage(value)) {
        this.note(value);
        this.resumed += 1;
      } else break;
      good += Buffer.byteLength(line) + 1;
    }
    if (!before) return false;
    this.start = before;
    if (statSync(this.file).size < good) appendFileSync(this.file, '\n');
    else truncateSync(this.file, good);
    return true;
  }

  private isOurs(value: unknown): value is ListingStart {
    const { version, consumer, account, startedAt, committed } = Object(value) as Partial<ListingStart> & {
      version?: unknown;
    };
    return (
      version === VERSION &&
      consumer === this.start.consumer &&
      account === this.start.account &&
      typeof startedAt === 'number' &&
      this.start.startedAt - startedAt < FRESH_MS &&
      Array.isArray(committed)
    );
  }

  private note({ at, next, contacts }: Page): void {
    for (const contact of contacts) this.take(contact, at);
    this.next = next ?? undefined;
    this.isWhole = next === null;
  }
}

const unusable = (file: string, why: string) =>
  new PipelineError('CLI_USAGE', 'reject', `${file} cannot be used (${why}): name another with --progress`);

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isPage(value: unknown): value is Page {
  const { at, next, contacts } = Object(value) as Partial<Page>;
  return typeof at === 'number' && (next === null || typeof next === 'string') && Array.isArray(contacts);
}
