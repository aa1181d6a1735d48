import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileScope } from '../harness/stack.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { append, valuesOf } from './records.ts';

const { scope, end } = fileScope();
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(scope);
});
afterAll(end);

test('a topic is made where it is wanted; leaders move, and every broker knows', async () => {
  await cluster.createTopic('moves', [
    [1, 2, 3],
    [2, 3, 1],
    [3, 1, 2],
  ]);
  expect(await cluster.leadersOf('moves')).toEqual([1, 2, 3]);
  await cluster.moveLeader('moves', 1, 3);
  for (const nodeId of [1, 2, 3]) {
    const [, moved] = await cluster.partitionsOf('moves', nodeId);
    expect(moved).toMatchObject({ leader: 3, replicas: [3, 2, 1] });
  }
  // The order alone changes no leader; an election does.
  await cluster.movePreferred('moves', 0, [2, 1, 3]);
  expect(await cluster.leadersOf('moves')).toEqual([1, 3, 3]);
  await cluster.electPreferred('moves', [0, 1]);
  expect(await cluster.leadersOf('moves')).toEqual([2, 3, 3]);
  // Another set of replicas: the new one has to catch up first. With the brokers' own two replicas in sync, which one replica never
  // has, Kafka would go on taking the former one for a candidate, and leave the topic without a leader once the new one was killed.
  await cluster.createTopic('wanders', [[1]], { 'min.insync.replicas': '1' });
  await cluster.movePreferred('wanders', 0, [3]);
  expect(await cluster.leadersOf('wanders')).toEqual([3]);
  await expect(cluster.moveLeader('wanders', 0, 1)).rejects.toThrow('not on 1');
});

test('coordinators are found and moved', async () => {
  const group = { groupId: 'a-group-with-ümlaut' };
  const transaction = { transactionalId: 'a-transaction' };
  for (const of of [group, transaction]) {
    const to = ((await cluster.coordinatorOf(of)) % 3) + 1;
    await cluster.moveCoordinator(of, to);
    expect(await cluster.coordinatorOf(of)).toBe(to);
  }
});

test('any one broker may be killed: writing goes on, others take its parts, and it comes back in sync', async () => {
  await cluster.createTopic('survives', [[1, 2, 3]]);
  const victim = await cluster.controllerId();
  await cluster.moveLeader('survives', 0, victim);
  await cluster.broker(victim).kill();
  // Until its session has ended no other broker takes its place.
  await append(cluster, 'survives', 0, 'while it is away');
  expect(await valuesOf(cluster, 'survives', 0)).toContain('while it is away');
  expect(await cluster.controllerId()).not.toBe(victim);
  const [left] = await cluster.partitionsOf('survives');
  expect(left?.leader).not.toBe(victim);
  expect(left?.isr).not.toContain(victim);
  await cluster.broker(victim).start();
  await cluster.awaitInSync();
  await cluster.electPreferred('survives', [0]);
  expect(await cluster.leadersOf('survives')).toEqual([victim]);
});
