import type { Route } from './group-commit-transport.ts';

const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 8_000;
const FIRST_PARTITION_REST_MS = 50;
const LONGEST_PARTITION_REST_MS = 1_000;
/** Leaders go back to where they belong without anybody being told. */
const REFRESH_MS = 60_000;

interface Rest {
  readonly until: number;
  readonly ms: number;
}

/**
 * The brokers that records can go to. A broker that did not answer rests for a while, even if it is still said to lead: until its death
 * is noticed, or while it hangs, its partitions do without records, and the others take them. A partition whose broker said that it
 * cannot take a record rests by itself, for a shorter time.
 */
export class Routes {
  private readonly rests = new Map<string, Rest>();
  private usable: Route[] = [];
  private turn = 0;
  private setAt = 0;

  get size(): number {
    return this.usable.length;
  }

  /** Whether it is worth asking who leads: something has rested long enough, or nobody has asked for long. */
  isStale(now: number): boolean {
    if (now - this.setAt > REFRESH_MS) return true;
    const inUse = new Set(this.usable.flatMap(keysOf));
    return [...this.rests].some(([key, { until }]) => until <= now && !inUse.has(key));
  }

  /** What the cluster says. If all of it should rest, none does. */
  set(routes: readonly Route[], now: number): void {
    this.setAt = now;
    const rested = (key: string) => (this.rests.get(key)?.until ?? 0) <= now;
    const usable = routes
      .filter(({ node }) => rested(ofNode(node)))
      .map(({ node, partitions }) => ({
        node,
        partitions: partitions.filter((id) => rested(ofPartition(id))),
      }))
      .filter(({ partitions }) => partitions.length > 0);
    this.usable = usable.length > 0 ? usable : [...routes];
    const known = new Set(routes.flatMap(keysOf));
    // What leads nothing any more has nothing to rest from.
    for (const key of [...this.rests.keys()]) if (!known.has(key)) this.rests.delete(key);
  }

  /** The next one in turn of which nothing is under way. */
  next(isBusy: (node: number) => boolean): Route | undefined {
    for (let i = 0; i < this.usable.length; i++) {
      const at = (this.turn + i) % this.usable.length;
      const route = this.usable[at];
      if (!route || isBusy(route.node)) continue;
      this.turn = (at + 1) % this.usable.length;
      return route;
    }
    return undefined;
  }

  /** Whether some broker that is in use leads this partition. */
  has(partition: number): boolean {
    return this.usable.some(({ partitions }) => partitions.includes(partition));
  }

  worked(node: number, partitions: readonly number[]): void {
    if (this.rests.size === 0) return;
    this.rests.delete(ofNode(node));
    for (const id of partitions) this.rests.delete(ofPartition(id));
  }

  nodeFailed(node: number, now: number): void {
    this.usable = this.usable.filter((route) => route.node !== node);
    this.rest(ofNode(node), now, FIRST_REST_MS, LONGEST_REST_MS);
  }

  partitionFailed(partition: number, now: number): void {
    this.usable = this.usable
      .map(({ node, partitions }) => ({ node, partitions: partitions.filter((id) => id !== partition) }))
      .filter(({ partitions }) => partitions.length > 0);
    this.rest(ofPartition(partition), now, FIRST_PARTITION_REST_MS, LONGEST_PARTITION_REST_MS);
  }

  private rest(key: string, now: number, firstMs: number, longestMs: number): void {
    const before = this.rests.get(key);
    const ms = before ? Math.min(longestMs, before.ms * 2) : firstMs;
    this.rests.set(key, { until: now + ms, ms });
  }
}

const ofNode = (node: number) => `broker ${node}`;
const ofPartition = (partition: number) => `partition ${partition}`;
const keysOf = ({ node, partitions }: Route) => [ofNode(node), ...partitions.map(ofPartition)];
