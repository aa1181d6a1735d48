/**
 * Partition of a key as Kafka's Java client chooses it: murmur2 of the key's UTF-8 bytes, made positive,
 * modulo the partition count. All producers of the pipeline use it, so topics with the same key are co-partitioned.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

/** murmur2 with the seed that Kafka uses (org.apache.kafka.common.utils.Utils.murmur2), as a signed 32-bit integer. */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  const { length } = data;
  const view = new DataView(data.buffer, data.byteOffset, length);
  const tail = length & ~3;
  let h = 0x9747b28c ^ length;
  for (let i = 0; i < tail; i += 4) {
    let k = Math.imul(view.getInt32(i, true), m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  for (let i = length - 1; i >= tail; i--) {
    h ^= view.getUint8(i) << (8 * (i - tail));
    if (i === tail) h = Math.imul(h, m);
  }
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
