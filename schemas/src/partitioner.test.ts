import { Partitioners } from 'kafkajs';
import { expect, it } from 'vitest';
import { murmur2, partitionOf } from './partitioner.ts';

// Vectors of Kafka's own UtilsTest.testMurmur2.
it.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('hashes %s as Java does', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

it('reads no byte outside of a slice', () => {
  expect(murmur2(Buffer.from('xxfoobarxx').subarray(2, 8))).toBe(-790332482);
});

it('chooses the partition that the Kafka client chooses, for keys of every length and script', () => {
  const choose = Partitioners.DefaultPartitioner();
  for (let i = 0; i < 500; i++) {
    const key = `${'é'.repeat(i % 5)}user${'x'.repeat(i % 11)}${i}@example.com`;
    for (const count of [1, 3, 6, 12, 100]) {
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
        partitionId,
        leader: 1,
      }));
      const message = { key, value: null };
      const theirs = choose({ topic: 't', partitionMetadata: partitionMetadata as never, message });
      expect(partitionOf(key, count)).toBe(theirs);
    }
  }
});

it('gives an empty key a partition', () => {
  expect(partitionOf('', 6)).toBeGreaterThanOrEqual(0);
});
