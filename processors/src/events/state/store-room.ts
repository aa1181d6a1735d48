import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { PipelineError } from '@email-events/core';
import { diskFull, usedPages } from './store-file.ts';

/** What a transaction is about to put. */
export interface Puts {
  readonly ids: number;
  readonly recipients: number;
  /** Of the recipients' states. */
  readonly bytes: number;
}

export const NO_PUTS: Puts = { ids: 0, recipients: 0, bytes: 0 };

/** A page that changes is written anew, where nobody uses the file; it may have to be split, and what points to it changes too. */
const PAGES_FOR_ONE = 2.25;
/** In pages that are half full. */
const IDS_A_PAGE = 64;
/** A larger state has pages to itself. */
const STATE_BYTES_A_PAGE = 2_048;
/** The numbers of all free pages may be written anew. */
const FREE_A_PAGE = 256;
/** Roots, meta data, the database of a new bucket. */
const SOME_PAGES = 32;
const CHUNK = Buffer.alloc(1_048_576);

/** The most pages by which such a transaction can make a store of so many pages larger. */
export function mostPages(pages: number, { ids, recipients, bytes }: Puts): number {
  const changed = PAGES_FOR_ONE * (Math.min(ids, pages) + Math.min(recipients, pages));
  const added = ids / IDS_A_PAGE + bytes / STATE_BYTES_A_PAGE;
  return Math.ceil(changed + added + pages / FREE_A_PAGE) + SOME_PAGES;
}

/**
 * Takes the space of a transaction from the disk before LMDB begins it, by making its file longer. LMDB would be told of a full disk while
 * it writes its pages, and its binding (3.5.6) then puts a text of up to 120 bytes into a buffer of 100: "corrupted size vs. prev_size" ended
 * the process after a few such errors, or worse. A disk that copies what it writes over (btrfs, ZFS) can still be full for LMDB.
 * Throws STATE_DISK_FULL.
 */
export function makeRoom(file: string, puts: Puts): void {
  try {
    append(file, puts);
  } catch (error) {
    // Whatever the system refuses (space, a descriptor): nothing was begun, and the store is as good as it was.
    throw error instanceof PipelineError ? error : diskFull(error);
  }
}

function append(file: string, puts: Puts): void {
  const { pages, pageSize } = usedPages(file);
  const wanted = (pages + mostPages(pages, puts)) * pageSize;
  // Appending only: no byte that is there is written over, whatever another process does to the file meanwhile.
  const descriptor = openSync(file, 'a');
  try {
    for (let missing = wanted - fstatSync(descriptor).size; missing > 0; )
      missing -= writeSync(descriptor, CHUNK, 0, Math.min(missing, CHUNK.length));
  } finally {
    closeSync(descriptor);
  }
}
