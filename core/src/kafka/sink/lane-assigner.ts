import type { Assigner } from '../consume/assigners.ts';
import { keyOf, type TopicPartition } from '../wire/ask-leaders.ts';

/** Which lane a topic partition belongs to. Pure: every member must say the same. */
export type LaneOf = (topic: string, partition: number) => string;

const NAME = 'email-events-lanes';
const VERSION = 1;

/**
 * Gives all topic partitions of a lane to one member, so that one member can write a lane as one batch.
 * Members keep what they have as far as the shares stay even: each lane that moves costs a redo.
 */
export function laneAssigner(laneOf: LaneOf, owned: () => Iterable<string>): Assigner {
  return {
    name: NAME,
    version: VERSION,
    userData: () => Buffer.from(JSON.stringify([...owned()])),
    assign: (members, partitions) => {
      const lanes = lanesOf(partitions, laneOf);
      const owners = shareLanes(
        [...lanes.keys()],
        members.map(({ id, userData }) => ({ id, owned: ownedBy(userData) })),
      );
      const shares = new Map<string, TopicPartition[]>(members.map(({ id }) => [id, []]));
      for (const [lane, own] of lanes) {
        const owner = owners.get(lane);
        const share = owner === undefined ? undefined : shares.get(owner);
        if (!share) throw new Error(`lane ${lane} (${own.map(keyOf).join(', ')}) has no owner`);
        for (const partition of own) share.push(partition);
      }
      return shares;
    },
  };
}

/** Pure: who gets which lane. The shares differ by one lane at most. */
export function shareLanes(
  lanes: readonly string[],
  members: readonly { readonly id: string; readonly owned: readonly string[] }[],
): Map<string, string> {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const owners = new Map<string, string>();
  const counts = new Map(sorted.map(({ id }) => [id, 0]));
  const give = (lane: string, id: string) => {
    owners.set(lane, id);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  };
  const least = Math.floor(lanes.length / Math.max(1, members.length));
  let extras = lanes.length - least * members.length;
  for (const { id, owned } of sorted) {
    for (const lane of owned) {
      if (!lanes.includes(lane) || owners.has(lane)) continue;
      const count = counts.get(id) ?? 0;
      if (count > least || (count === least && extras === 0)) break;
      if (count === least) extras -= 1;
      give(lane, id);
    }
  }
  for (const lane of lanes.toSorted()) {
    if (owners.has(lane)) continue;
    const [poorest] = [...counts].toSorted(([, a], [, b]) => a - b);
    if (poorest) give(lane, poorest[0]);
  }
  return owners;
}

function lanesOf(partitions: readonly TopicPartition[], laneOf: LaneOf) {
  const lanes = new Map<string, TopicPartition[]>();
  for (const of of partitions) {
    const lane = laneOf(of.topic, of.partition);
    const own = lanes.get(lane);
    if (own) own.push(of);
    else lanes.set(lane, [of]);
  }
  return lanes;
}

function ownedBy(userData: Buffer): string[] {
  return userData.length === 0 ? [] : (JSON.parse(userData.toString()) as string[]);
}
