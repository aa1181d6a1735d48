import type { DeadLetter } from '@email-events/schemas';
import { expect, test } from 'vitest';
import type { InputRecord } from '../records.ts';
import { deadLetterOf } from '../records.ts';
import { boundedLetter } from './dead-letters.ts';

/** Stands for the codec: the bytes of the parts that can be large. */
const encoder = {
  encode: ({ key, value, headers }: DeadLetter) =>
    Buffer.alloc(
      (key?.length ?? 0) +
        (value?.length ?? 0) +
        Object.values(headers).reduce((sum, bytes) => sum + bytes.length, 0),
    ),
};

function letterOf(sizes: { key: number; value: number; header: number }): DeadLetter {
  const record: InputRecord = {
    ...{ topic: 'in', partition: 0, offset: 7, timestamp: 0 },
    key: Buffer.alloc(sizes.key),
    value: Buffer.alloc(sizes.value),
    headers: { trace: Buffer.alloc(sizes.header) },
  };
  return deadLetterOf(record, { stage: 'sink', code: 'X', message: 'no', firstAt: 0 });
}

test.each([
  [{ key: 10, value: 3_000_000, header: 10 }, 3_000_020],
  // A letter that its topic would refuse leaves out its key and headers, and its value only if it is still too large.
  [{ key: 3_000_000, value: 2_000_000, header: 10 }, 2_000_000],
  [{ key: 10, value: 2_000_000, header: 3_000_000 }, 2_000_000],
  [{ key: 10, value: 5_000_000, header: 10 }, 0],
])('a letter of %o is one that its topic takes', (sizes, bytes) => {
  expect(boundedLetter(letterOf(sizes), encoder)).toHaveLength(bytes);
});
