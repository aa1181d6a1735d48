import { ID_BYTES } from './store-file.ts';

/** Ids put at a time: some 10 ms, during which the event loop is blocked. */
const SLICE_IDS = 5_000;
/** Index of an id in its run, below its first 32 bits in one number. */
const INDEX_RANGE = 2 ** 21;
const MAX_IDS = 1_000_000;

/** Ids that were seen in the same bucket. */
interface BucketRun {
  readonly seenAt: number;
  readonly parts: Buffer[];
}

/**
 * Ids on their way into the store, sorted before they are put. Ids are hashes: put as they come, each would rewrite
 * another page of a store that has grown, 250 bytes for one; sorted, neighbours share their page.
 */
export class IdRun {
  ids = 0;
  private readonly bucketOf: (seenAt: number) => number;
  private readonly maxIds: number;
  private readonly buckets = new Map<number, BucketRun>();

  constructor(bucketOf: (seenAt: number) => number, maxIds = MAX_IDS) {
    this.bucketOf = bucketOf;
    this.maxIds = maxIds;
  }

  get isFull(): boolean {
    return this.ids >= this.maxIds;
  }

  add(seenAt: number, bytes: Buffer): void {
    const number = this.bucketOf(seenAt);
    const bucket = this.buckets.get(number);
    if (bucket) bucket.parts.push(bytes);
    else this.buckets.set(number, { seenAt, parts: [bytes] });
    this.ids += bytes.length / ID_BYTES;
  }

  /**
   * All of it in slices, in an order in which neighbours are near each other in the store. The run keeps it: a store that refuses it is
   * given the same again.
   */
  *slices(): Generator<{ seenAt: number; bytes: Buffer }> {
    for (const { seenAt, parts } of this.buckets.values()) {
      const ids = Buffer.concat(parts);
      // More than one run's worth in one record: cut, so that an index stays below its range.
      for (let at = 0; at < ids.length; at += INDEX_RANGE * ID_BYTES) {
        for (const bytes of sorted(ids.subarray(at, at + INDEX_RANGE * ID_BYTES))) yield { seenAt, bytes };
      }
    }
  }
}

/** By their first 32 bits, which is near enough; a typed array sorts numbers without asking anyone. */
function* sorted(ids: Buffer): Generator<Buffer> {
  const count = ids.length / ID_BYTES;
  const order = new Float64Array(count);
  for (let i = 0; i < count; i++) order[i] = ids.readUInt32BE(i * ID_BYTES) * INDEX_RANGE + i;
  order.sort();
  for (let from = 0; from < count; from += SLICE_IDS) {
    const slice = order.subarray(from, from + SLICE_IDS);
    const bytes = Buffer.allocUnsafe(slice.length * ID_BYTES);
    for (const [i, entry] of slice.entries()) {
      const at = (entry % INDEX_RANGE) * ID_BYTES;
      ids.copy(bytes, i * ID_BYTES, at, at + ID_BYTES);
    }
    yield bytes;
  }
}
