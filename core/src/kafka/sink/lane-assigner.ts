import type { Cluster, GroupMember, PartitionAssigner } from 'kafkajs';
import { AssignerProtocol } from '../kafkajs.ts';

/** Which lane a topic partition belongs to. Pure: every member must say the same. */
export type LaneOf = (topic: string, partition: number) => string;

export interface LaneAssignerHooks {
  /** A join begins: from now on nothing of the current generation may be committed. Called before the request is sent. */
  onJoining(): void;
  /** Lanes that this member has now: they stay with it if that is fair. */
  owned(): Iterable<string>;
}

const NAME = 'email-events-lanes';
const VERSION = 1;
const { MemberMetadata, MemberAssignment } = AssignerProtocol;

/**
 * Gives all topic partitions of a lane to one member, so that one member can write a lane as one batch.
 * Members keep what they have as far as the shares stay even: each lane that moves costs a redo.
 */
export function laneAssigner(laneOf: LaneOf, hooks: LaneAssignerHooks): PartitionAssigner {
  return ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    protocol: ({ topics }) => {
      hooks.onJoining();
      const userData = Buffer.from(JSON.stringify([...hooks.owned()]));
      return { name: NAME, metadata: MemberMetadata.encode({ version: VERSION, topics, userData }) };
    },
    assign: async ({ members, topics }) => {
      const lanes = lanesOf(cluster, topics, laneOf);
      const owners = shareLanes(
        [...lanes.keys()],
        members.map((member) => ({ id: member.memberId, owned: ownedBy(member) })),
      );
      return members.map(({ memberId }) => {
        const assignment: { [topic: string]: number[] } = {};
        for (const [lane, partitions] of lanes) {
          if (owners.get(lane) !== memberId) continue;
          for (const { topic, partition } of partitions) {
            assignment[topic] ??= [];
            assignment[topic].push(partition);
          }
        }
        const encoded = { version: VERSION, assignment, userData: Buffer.alloc(0) };
        return { memberId, memberAssignment: MemberAssignment.encode(encoded) };
      });
    },
  });
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

function lanesOf(cluster: Cluster, topics: readonly string[], laneOf: LaneOf) {
  const lanes = new Map<string, { topic: string; partition: number }[]>();
  for (const topic of topics) {
    for (const { partitionId } of cluster.findTopicPartitionMetadata(topic)) {
      const lane = laneOf(topic, partitionId);
      const partitions = lanes.get(lane) ?? [];
      partitions.push({ topic, partition: partitionId });
      lanes.set(lane, partitions);
    }
  }
  return lanes;
}

function ownedBy({ memberMetadata }: GroupMember): string[] {
  const text = MemberMetadata.decode(memberMetadata)?.userData?.toString();
  return text ? (JSON.parse(text) as string[]) : [];
}
