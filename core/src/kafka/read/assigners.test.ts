import { AssignerProtocol, PartitionAssigners, AssignerProtocol as Protocol } from 'kafkajs';
import { expect, test } from 'vitest';
import {
  decodeAssignment,
  encodeAssignment,
  encodeMetadata,
  requireComplete,
  roundRobin,
  userDataOf,
} from './assigners.ts';

const partitions = (topic: string, count: number) =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }));

/** The result of kafkajs's assigner of that name, which members of the version before use. */
async function kafkajsAssigns(ids: readonly string[], topics: { readonly [topic: string]: number }) {
  const metadata = (topic: string) =>
    Array.from({ length: topics[topic] ?? 0 }, (_, partitionId) => ({ partitionId }));
  const cluster = { findTopicPartitionMetadata: metadata };
  const assigner = PartitionAssigners.roundRobin({ cluster } as never);
  const members = ids.map((memberId) => ({ memberId, memberMetadata: Buffer.alloc(0) }));
  const found = await assigner.assign({ members, topics: Object.keys(topics) });
  return new Map(
    found.map(({ memberId, memberAssignment }) => [
      memberId,
      Protocol.MemberAssignment.decode(memberAssignment)?.assignment,
    ]),
  );
}

test.each([
  [['a'], { t: 3 }],
  [['b', 'a'], { t: 6 }],
  [['c', 'a', 'b'], { t: 6, u: 5 }],
  [['b', 'a', 'd', 'c'], { t: 2 }],
])('shares are those that kafkajs makes: %j, %j', async (ids, topics) => {
  expect(roundRobin.name).toBe('RoundRobinAssigner');
  const all = Object.entries(topics).flatMap(([topic, count]) => partitions(topic, count));
  const infos = ids.map((id) => ({ id, userData: Buffer.alloc(0) }));
  const shares = roundRobin.assign(infos, all);
  requireComplete(shares, all);
  const theirs = await kafkajsAssigns(ids, topics);
  const { version } = roundRobin;
  for (const id of ids) {
    const bytes = encodeAssignment(version, shares.get(id) ?? []);
    expect(decodeAssignment(bytes)).toEqual(theirs.get(id) ?? {});
    expect(AssignerProtocol.MemberAssignment.decode(bytes)?.assignment).toEqual(theirs.get(id) ?? {});
  }
});

test('what a member says of itself comes back', () => {
  const assigner = { ...roundRobin, version: 3, userData: () => Buffer.from('mine') };
  const bytes = encodeMetadata(assigner, ['t', 'u']);
  expect(String(userDataOf(bytes))).toBe('mine');
  const decoded = AssignerProtocol.MemberMetadata.decode(bytes);
  expect(decoded).toMatchObject({ version: 3, topics: ['t', 'u'] });
});

test('a member for whom there is nothing gets nothing', () => {
  expect(decodeAssignment(Buffer.alloc(0))).toEqual({});
  expect(decodeAssignment(encodeAssignment(0, []))).toEqual({});
});

test('each partition belongs to one member', () => {
  const all = partitions('t', 2);
  const [first, second] = all;
  requireComplete(new Map([['a', all]]), all);
  requireComplete(
    new Map([
      ['a', [first!]],
      ['b', [second!]],
    ]),
    all,
  );
  expect(() => requireComplete(new Map([['a', [first!]]]), all)).toThrow('t/1 was assigned 0 times');
  expect(() =>
    requireComplete(
      new Map([
        ['a', all],
        ['b', [first!]],
      ]),
      all,
    ),
  ).toThrow('t/0 was assigned 2 times');
  expect(() => requireComplete(new Map(), all)).toThrow('0 times');
});
