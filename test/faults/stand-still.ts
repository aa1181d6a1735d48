import type { GroupPosition } from '../src/invariants.ts';
import type { Snapshot } from './positions.ts';

/** Time in which something was broken that these groups need, and no more than loss could be asked of them. */
export interface Span {
  readonly groups: readonly string[];
  /** On the clock of the samples. */
  readonly from: number;
  readonly until: number;
}

/** How long a group had something to do on a partition and committed nothing, while nothing excused it. */
export interface StandStill {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly ms: number;
  readonly committed: bigint | null;
  /** When it was last seen so. */
  readonly end: bigint;
  readonly at: number;
}

export interface WatchEvidence {
  readonly samples: number;
  /** The longest one of each group that was seen; one with 0 ms never stood. */
  readonly longest: readonly StandStill[];
  /** Longest time without a sample, but for what broken brokers excuse. Milliseconds. */
  readonly blindMs: number;
}

/** A session time-out and a few seconds are well below it. */
export const STAND_STILL_MS = 30_000;

/**
 * A partition stands still from the answer of the first sample that shows it with lag to the question of the last one that
 * shows it with lag and nothing more committed, counted from the end of the last span that concerned its group. A later sample speaks for the time
 * between: what is committed does not go back. Pure.
 */
export function watchEvidence(
  samples: readonly Snapshot[],
  spans: readonly Span[],
  groups: readonly string[],
): WatchEvidence {
  const longest = groups.flatMap((group) => longestOf(group, samples, spans) ?? []);
  const ofAll = spans.filter((span) => groups.every((group) => span.groups.includes(group)));
  return { samples: samples.length, longest, blindMs: blindIn(samples, ofAll) };
}

/** Says which groups stood still without an excuse or were never seen, and whether the watch itself had a gap. */
export function standStillsIn(
  { longest, blindMs, samples }: WatchEvidence,
  groups: readonly string[],
): string[] {
  const seen = new Set(longest.map(({ group }) => group));
  return [
    ...groups.filter((group) => !seen.has(group)).map((group) => `${group} was never seen`),
    ...(samples > 0 && blindMs > STAND_STILL_MS ? [`nobody watched for ${seconds(blindMs)}`] : []),
    ...longest
      .filter(({ ms }) => ms > STAND_STILL_MS)
      .map(
        ({ group, topic, partition, ms, committed, end }) =>
          `${group} stood at ${committed} of ${end} on ${topic}/${partition} for ${seconds(ms)}`,
      ),
  ];
}

interface Stand {
  /** Most that was ever seen committed. */
  committed: bigint | null;
  /** Undefined: it has nothing to do. */
  since: number | undefined;
}

function longestOf(
  group: string,
  samples: readonly Snapshot[],
  spans: readonly Span[],
): StandStill | undefined {
  const own = spans.filter((span) => span.groups.includes(group));
  const stands = new Map<string, Stand>();
  let longest: StandStill | undefined;
  for (const { at, answeredAt, positions } of samples) {
    const excused = excusedUntil(own, at);
    for (const position of positions) {
      if (position.group !== group) continue;
      const since = advance(stands, position, answeredAt);
      const ms = since === undefined ? 0 : Math.max(0, at - Math.max(since, excused));
      if (!longest || ms > longest.ms) longest = { ...position, ms, at };
    }
  }
  return longest;
}

/** Since when it has stood where it is with something to do. */
function advance(
  stands: Map<string, Stand>,
  position: GroupPosition,
  answeredAt: number,
): number | undefined {
  const { topic, partition, committed, end } = position;
  const key = `${topic}/${partition}`;
  const before = stands.get(key);
  const went = before === undefined || (committed ?? -1n) > (before.committed ?? -1n);
  const behind = (committed ?? 0n) < end;
  const since = behind ? (went ? answeredAt : (before.since ?? answeredAt)) : undefined;
  stands.set(key, { committed: went ? committed : before.committed, since });
  return since;
}

/** The end of what was broken last; the moment itself, or later, while something is. */
function excusedUntil(spans: readonly Span[], at: number): number {
  return spans.reduce((latest, { from, until }) => (from <= at ? Math.max(latest, until) : latest), 0);
}

function blindIn(samples: readonly Snapshot[], spans: readonly Span[]): number {
  return samples.slice(1).reduce((blind, { at }, i) => {
    const from = Math.max(samples[i]?.at ?? 0, excusedUntil(spans, at));
    return Math.max(blind, at - from);
  }, 0);
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
