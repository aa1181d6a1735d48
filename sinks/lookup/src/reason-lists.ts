/** Ends a list; that of a recipient without reasons is nothing else. */
export const NO_REASON = 0;

/** Entries of a chunk: one that is added moves none of the others. */
const CHUNK = 65_536;
const ENTRY_BYTES = 16;

interface Chunk {
  readonly kinds: Uint32Array;
  /** Epoch milliseconds. */
  readonly since: Float64Array;
  /** The next entry of the list, or of those that are free. */
  readonly next: Uint32Array;
}

/** Lists of reasons, of 16 bytes each, in chunks outside the heap: tens of millions cost the garbage collector nothing. */
export class ReasonLists {
  private readonly chunks: Chunk[] = [];
  private free = NO_REASON;
  private used = 0;

  get size(): number {
    return this.used;
  }

  get bytes(): number {
    return this.chunks.length * CHUNK * ENTRY_BYTES;
  }

  /** Puts a reason before a list, and returns the list that begins with it. */
  push(list: number, kind: number, since: number): number {
    if (this.free === NO_REASON) this.grow();
    const entry = this.free;
    const { kinds, since: times, next } = this.chunkOf(entry);
    const at = entry % CHUNK;
    this.free = next[at] ?? NO_REASON;
    kinds[at] = kind;
    times[at] = since;
    next[at] = list;
    this.used += 1;
    return entry;
  }

  /** Frees a list; tells the kind of each of its reasons. */
  drop(list: number, released: (kind: number) => void): void {
    for (let entry = list; entry !== NO_REASON; ) {
      const { kinds, next } = this.chunkOf(entry);
      const at = entry % CHUNK;
      const after = next[at] ?? NO_REASON;
      released(kinds[at] ?? 0);
      next[at] = this.free;
      this.free = entry;
      this.used -= 1;
      entry = after;
    }
  }

  /** The newest in the list first. */
  each(list: number, visit: (kind: number, since: number) => void): void {
    for (let entry = list; entry !== NO_REASON; ) {
      const { kinds, since, next } = this.chunkOf(entry);
      const at = entry % CHUNK;
      visit(kinds[at] ?? 0, since[at] ?? 0);
      entry = next[at] ?? NO_REASON;
    }
  }

  private grow(): void {
    const first = this.chunks.length * CHUNK;
    const next = new Uint32Array(CHUNK);
    for (let at = 0; at < CHUNK - 1; at++) next[at] = first + at + 1;
    this.chunks.push({ kinds: new Uint32Array(CHUNK), since: new Float64Array(CHUNK), next });
    // Entry 0 stands for no entry.
    this.free = first === 0 ? 1 : first;
  }

  private chunkOf(entry: number): Chunk {
    const chunk = this.chunks[Math.floor(entry / CHUNK)];
    if (!chunk) throw new RangeError(`no entry ${entry}`);
    return chunk;
  }
}
