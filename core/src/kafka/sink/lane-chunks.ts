import type { Entry } from './entry.ts';
import { compareRanges, partitionKey } from './intent.ts';

/** What one fetch brought of one partition, as far as it was not taken yet. */
export interface Chunk<R> {
  readonly key: string;
  readonly arrivedAt: number;
  entries: Entry<R>[];
}

/** Entries by partition, each in offset order because they are taken in the order they came. */
export class Taken<R> {
  private readonly groups = new Map<string, Entry<R>[]>();

  constructor(entries: readonly Entry<R>[] = []) {
    for (const entry of entries) this.add(keyOf(entry), [entry]);
  }

  add(key: string, entries: readonly Entry<R>[]): void {
    const group = this.groups.get(key);
    if (group) for (const entry of entries) group.push(entry);
    else if (entries.length > 0) this.groups.set(key, [...entries]);
  }

  sorted(): Entry<R>[][] {
    return [...this.groups.values()].sort(([a], [b]) => (a && b ? compareRanges(a, b) : 0));
  }
}

/** The partition that it was read from. */
export const keyOf = ({ readFrom, partition }: Pick<Entry<unknown>, 'readFrom' | 'partition'>) =>
  partitionKey({ topic: readFrom, partition });

export interface Room {
  readonly rows: number;
  readonly bytes: number;
}

/** How many of the first entries fit; the first does whatever its size, unless something was taken before it. */
export function fitting(entries: readonly Entry<unknown>[], room: Room): number {
  let { rows, bytes } = room;
  let count = 0;
  for (const entry of entries) {
    if (count > 0 && (rows <= 0 || bytes < entry.bytes)) break;
    rows -= 1;
    bytes -= entry.bytes;
    count += 1;
  }
  return count;
}
