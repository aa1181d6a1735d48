import { closeSync, existsSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { PipelineError } from '@email-events/core';

/** Bytes of a meta page that are looked at; a page is never smaller. */
const HEADER_BYTES = 256;
const MAGIC = 0xbeefc0de;
// Offsets in a meta page (LMDB data version 2, 64 bit, little endian), after the page header of 24 bytes.
const AT = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152 } as const;

/**
 * Looks at an LMDB file before it is mapped: LMDB trusts its meta pages, and a file that is shorter than they say
 * ends the process with a signal that nobody can catch. A damaged page further in is found by LMDB itself, as an error.
 * Throws STATE_UNUSABLE. A file that does not exist is fine.
 */
export function checkStoreFile(file: string): void {
  if (!existsSync(file)) return;
  const { size } = statSync(file);
  const first = readHeader(file, 0);
  const second = readHeader(file, first.pageSize);
  const { lastPage } = second.transaction > first.transaction ? second : first;
  if (second.pageSize !== first.pageSize || size < (Number(lastPage) + 1) * first.pageSize) {
    throw unusable('the file of the store is shorter than it says');
  }
}

/** Deletes a store that cannot be trusted; the changelog rebuilds it. */
export function discardStore(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** LMDB's own errors: not found, corrupted, full … Node's and ours are texts. */
export const isStoreError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as { code?: unknown }).code === 'number';

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
