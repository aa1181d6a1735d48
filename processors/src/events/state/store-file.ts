import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { PipelineError } from '@email-events/core';

export const STORE_FILE = 'store.mdb';
/** Of an event id. */
export const ID_BYTES = 16;

/** Disk space that opening a store and its lock file may take at once. */
const PROBE_BYTES = 65_536;

/** Bytes of a meta page that are looked at; a page is never smaller. */
const HEADER_BYTES = 256;
const MAGIC = 0xbeefc0de;
// Offsets in a meta page (LMDB data version 2, 64 bit, little endian), after the page header of 24 bytes.
const AT = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152 } as const;

/**
 * Looks at an LMDB file before it is mapped: LMDB trusts its meta pages, and a file that is shorter than they say
 * ends the process with a signal that cannot be caught. A damaged page further in is found by LMDB itself, as an error.
 * Throws STATE_UNUSABLE. A file that does not exist is fine.
 */
export function checkStoreFile(file: string): void {
  if (!existsSync(file)) return;
  const { size } = statSync(file);
  const { pages, pageSize } = usedPages(file);
  if (size < pages * pageSize) throw unusable('the file of the store is shorter than it says');
}

/** How much of the file LMDB uses; what is behind it is room for later. Throws STATE_UNUSABLE. */
export function usedPages(file: string): { pages: number; pageSize: number } {
  const first = readHeader(file, 0);
  const { pageSize } = first;
  const second = readHeader(file, pageSize);
  if (second.pageSize !== pageSize) throw unusable('the file of the store contradicts itself');
  const { lastPage } = second.transaction > first.transaction ? second : first;
  return { pages: Number(lastPage) + 1, pageSize };
}

/** Deletes a store that cannot be trusted; the changelog rebuilds it. */
export function discardStore(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** LMDB's own errors and the system's, which it passes on: numbers. Node's and ours are texts. */
export const isStoreError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as { code?: unknown }).code === 'number';

/** LMDB cannot map more, or refuses to go on after a write that failed. */
const OUTGROWN = [-30_792, -30_795];

/**
 * The disk did not take what was written. The transaction never was, and what was there before is as good as ever:
 * LMDB writes to pages that are not in use yet. It reports a full disk as the system does, or as an I/O error.
 */
export const isDiskError = (error: unknown): boolean => {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' && (code > 0 || OUTGROWN.includes(code));
};

const DISK_CODES = new Set<unknown>(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS']);

/** Whether an error of Node says that a disk takes nothing. */
export const isDiskRefusal = (error: unknown): boolean => DISK_CODES.has((error as { code?: unknown }).code);

/**
 * Makes the folder of a store and sees whether its disk takes anything. LMDB maps its lock file before it has written
 * it, and a process that touches a mapped page for which there is no space is ended by a signal.
 * Throws STATE_DISK_FULL.
 */
export function prepareFolder(path: string): void {
  const probe = `${path}/probe`;
  try {
    mkdirSync(path, { recursive: true });
    writeFileSync(probe, Buffer.alloc(PROBE_BYTES, 1));
    rmSync(probe);
  } catch (error) {
    // A probe that was written in part holds the space that is missing.
    rmSync(probe, { force: true });
    throw isDiskRefusal(error) ? diskFull(error) : error;
  }
}

export function diskFull(cause: unknown): PipelineError {
  return new PipelineError('STATE_DISK_FULL', 'retry', 'the disk takes no more of the store', { cause });
}

export function unusable(message: string, cause?: unknown): PipelineError {
  return new PipelineError('STATE_UNUSABLE', 'retry', message, cause === undefined ? {} : { cause });
}

function readHeader(file: string, position: number) {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, 'r');
  try {
    if (readSync(descriptor, header, 0, HEADER_BYTES, position) < HEADER_BYTES) {
      throw unusable('the file of the store has no header');
    }
  } finally {
    closeSync(descriptor);
  }
  const pageSize = header.readUInt32LE(AT.pageSize);
  if (header.readUInt32LE(AT.magic) !== MAGIC || pageSize < 512 || pageSize > 65_536) {
    throw unusable('the file of the store is none of LMDB');
  }
  return {
    pageSize,
    lastPage: header.readBigUInt64LE(AT.lastPage),
    transaction: header.readBigUInt64LE(AT.transaction),
  };
}
