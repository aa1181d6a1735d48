import type { SeenBatch } from '@email-events/schemas';

/** A distinct event that was sent at least once. */
export interface SentEvent {
  /** Name that it keeps on its way, its own among all events sent. */
  readonly name: string;
  readonly recipient: string;
}

/** A record on a typed topic. */
export interface EmittedEvent extends SentEvent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Where a consumer group is. */
export interface GroupPosition {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** Null: nothing was ever committed. */
  readonly committed: bigint | null;
  readonly end: bigint;
}

export interface EventTotals {
  readonly received: number;
  readonly emitted: number;
  readonly duplicates: number;
  readonly deadLettered: number;
}

/** Events that were sent and are not there. */
export function lossesIn(sent: readonly SentEvent[], emitted: readonly EmittedEvent[]): string[] {
  const there = new Set(emitted.map(({ name }) => name));
  return sent.filter(({ name }) => !there.has(name)).map(({ name }) => `lost: ${name}`);
}

/** Events that are there more than once, and events that were never sent. */
export function surplusIn(sent: readonly SentEvent[], emitted: readonly EmittedEvent[]): string[] {
  const known = new Set(sent.map(({ name }) => name));
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const { name, topic, partition, offset } of emitted) {
    const place = `${topic}/${partition}/${offset}`;
    if (!known.has(name)) problems.push(`never sent: ${name} at ${place}`);
    if (seen.has(name)) problems.push(`duplicate: ${name} at ${place}`);
    seen.add(name);
  }
  return problems;
}

/** Events of one recipient on one topic that lie in another order than they were sent, or on several partitions. */
export function disorderIn(sent: readonly SentEvent[], emitted: readonly EmittedEvent[]): string[] {
  const rank = new Map(sent.map(({ name }, i) => [name, i]));
  const byLane = Map.groupBy(emitted, ({ topic, recipient }) => `${topic} ${recipient}`);
  return [...byLane.values()].flatMap((lane) => {
    const sorted = lane.toSorted((a, b) => (a.offset < b.offset ? -1 : 1));
    return sorted.slice(1).flatMap((event, i) => {
      const before = sorted[i];
      if (!before) return [];
      if (before.partition !== event.partition) return [`on two partitions: ${before.name}, ${event.name}`];
      const ordered = (rank.get(before.name) ?? 0) <= (rank.get(event.name) ?? 0);
      return ordered ? [] : [`out of order: ${event.name} after ${before.name}`];
    });
  });
}

/** Partitions whose group has not committed everything up to the end. */
export function backlogIn(positions: readonly GroupPosition[]): string[] {
  return positions
    .filter(({ committed, end }) => (committed ?? 0n) !== end)
    .map(
      ({ group, topic, partition, committed, end }) =>
        `${group} is at ${committed} of ${end} on ${topic}/${partition}`,
    );
}

/** received = emitted + duplicates + dead-lettered, and as many emitted as there are. */
export function imbalanceIn(totals: EventTotals, emitted: readonly EmittedEvent[]): string[] {
  const { received, duplicates, deadLettered } = totals;
  const problems: string[] = [];
  if (received !== totals.emitted + duplicates + deadLettered) {
    problems.push(`received ${received} ≠ ${totals.emitted} + ${duplicates} + ${deadLettered}`);
  }
  if (totals.emitted !== emitted.length) problems.push(`emitted ${totals.emitted}, found ${emitted.length}`);
  return problems;
}

/** All that must hold for the events of a run; empty if it does. */
export function violationsIn(sent: readonly SentEvent[], emitted: readonly EmittedEvent[]): string[] {
  return [...lossesIn(sent, emitted), ...surplusIn(sent, emitted), ...disorderIn(sent, emitted)];
}

/** Totals of `events` out of its changelog: every record says those of its partition so far; barriers say nothing. */
export class SeenTotals {
  readonly #newest = new Map<number, SeenBatch>();

  /** In the order of each partition. */
  add(partition: number, batch: SeenBatch): void {
    if (batch.barrier === null) this.#newest.set(partition, batch);
  }

  sum(): EventTotals {
    const batches = [...this.#newest.values()];
    const sum = (of: (batch: SeenBatch) => number) => batches.reduce((total, batch) => total + of(batch), 0);
    return {
      received: sum(({ received }) => received),
      emitted: sum(({ emitted }) => emitted),
      duplicates: sum(({ duplicates }) => duplicates),
      deadLettered: sum(({ dead_lettered }) => dead_lettered),
    };
  }
}
