import { randomFillSync } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const RANDOM_BYTES = 16;
const POOL_BYTES = RANDOM_BYTES * 256;
const pool = Buffer.alloc(POOL_BYTES);
let next = POOL_BYTES;

/** Id of a request (UUIDv7). Random bytes are drawn for many ids at once: each draw is a system call. */
export function newRequestId(): string {
  if (next === POOL_BYTES) {
    randomFillSync(pool);
    next = 0;
  }
  const random = pool.subarray(next, next + RANDOM_BYTES);
  next += RANDOM_BYTES;
  return uuidv7({ random });
}
