import { expect, test } from 'vitest';
import { recordOf, suppressionOf } from './testing/values.ts';
import { newestOfEach } from './writer.ts';

const ADA = 'ada@example.com';
const former = recordOf(suppressionOf({ revision: 1 }));
const newer = recordOf(suppressionOf({ revision: 2 }));
const plain = recordOf(suppressionOf({ revision: 0 }));
const erased = recordOf(null, ADA);

const newest = (...records: (typeof former)[]) => newestOfEach(records).get(ADA);

test('the last state of a recipient is the newest, unless it is an older one that was written to the topic once more', () => {
  expect(newest(former, newer)).toBe(newer);
  expect(newest(former, newer, former)).toBe(newer);
  const again = recordOf(suppressionOf({ revision: 2 }));
  expect(newest(newer, again)).toBe(again);
});

test('a state without a revision, and an erasure, are as new as their place says', () => {
  expect(newest(newer, plain)).toBe(plain);
  expect(newest(plain, former)).toBe(former);
  expect(newest(newer, erased)).toBe(erased);
  expect(newest(newer, erased, former)).toBe(former);
});
