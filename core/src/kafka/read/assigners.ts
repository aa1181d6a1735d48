import type { TopicPartition } from '../client/offsets.ts';
import { AssignerProtocol } from '../kafkajs/kafkajs.ts';

const { MemberAssignment, MemberMetadata } = AssignerProtocol;

/** The partitions of a member, by topic. */
export type Assigned = { readonly [topic: string]: readonly number[] };

export interface MemberInfo {
  readonly id: string;
  /** As the member sent it when it joined. */
  readonly userData: Buffer;
}

/** How the partitions of a group are shared out. All members must know one of the same name. */
export interface Assigner {
  readonly name: string;
  readonly version: number;
  /** Told to the leader with each join. */
  userData(): Buffer;
  /** By the leader: a member for every partition. */
  assign(
    members: readonly MemberInfo[],
    partitions: readonly TopicPartition[],
  ): ReadonlyMap<string, readonly TopicPartition[]>;
}

/** One after the other, as kafkajs does it and calls it, so that members of the version before understand each other with these. */
export const roundRobin: Assigner = {
  name: 'RoundRobinAssigner',
  version: 0,
  userData: () => Buffer.alloc(0),
  assign: (members, partitions) => {
    const ids = members.map(({ id }) => id).sort();
    const shares = new Map<string, TopicPartition[]>(ids.map((id) => [id, []]));
    for (const [i, partition] of partitions.entries()) {
      const id = ids[i % ids.length];
      if (id !== undefined) shares.get(id)?.push(partition);
    }
    return shares;
  },
};

export function encodeMetadata({ version, userData }: Assigner, topics: readonly string[]): Buffer {
  return MemberMetadata.encode({ version, topics: [...topics], userData: userData() });
}

export function userDataOf(memberMetadata: Buffer): Buffer {
  return MemberMetadata.decode(memberMetadata)?.userData ?? Buffer.alloc(0);
}

export function encodeAssignment(version: number, partitions: readonly TopicPartition[]): Buffer {
  const assignment: { [topic: string]: number[] } = {};
  for (const { topic, partition } of partitions) {
    assignment[topic] ??= [];
    assignment[topic].push(partition);
  }
  return MemberAssignment.encode({ version, assignment, userData: Buffer.alloc(0) });
}

export function decodeAssignment(bytes: Buffer): Assigned {
  // Nothing at all is what a member gets for whom there is no partition.
  if (bytes.length === 0) return {};
  const decoded = MemberAssignment.decode(bytes);
  if (!decoded) throw new Error('the assignment that the group leader made cannot be read');
  return decoded.assignment;
}

/** Throws unless every partition belongs to exactly one member: no member would read one that is left out, without any sign. */
export function requireComplete(
  shares: ReadonlyMap<string, readonly TopicPartition[]>,
  partitions: readonly TopicPartition[],
): void {
  const given = new Map<string, number>();
  for (const own of shares.values())
    for (const { topic, partition } of own)
      given.set(`${topic}/${partition}`, (given.get(`${topic}/${partition}`) ?? 0) + 1);
  for (const { topic, partition } of partitions) {
    const times = given.get(`${topic}/${partition}`) ?? 0;
    if (times !== 1) throw new Error(`${topic}/${partition} was assigned ${times} times`);
  }
}
