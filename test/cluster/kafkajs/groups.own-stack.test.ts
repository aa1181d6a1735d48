import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { unique } from '../../harness/isolation.ts';
import { fileScope } from '../../harness/stack.ts';
import { waitFor } from '../../harness/wait.ts';
import { EncoderClass } from '../wire.ts';
import { DEADLINE_MS, Pair } from './pair.ts';
import { plainKafkajs } from './plain-kafkajs.ts';
import { startWorld, type World } from './world.ts';

const LOADING = 14;
const NOT_COORDINATOR = 16;
const REBALANCE = 27;
const UNKNOWN_MEMBER = 25;
const THROTTLE = 0;

const { scope, end } = fileScope();
let world: World;
let pair: Pair;
beforeAll(async () => {
  world = await startWorld(scope);
  pair = await Pair.start(world, scope);
  await pair.feed(30);
  await pair.awaitAll();
});
afterEach(() => world.proxies.calm());
afterAll(end);

/** Heartbeats, of both groups, whose next answers have these codes; then as they are. */
function beat(...codes: number[]): void {
  const left = new Map<string, number[]>();
  world.proxies.interfere({
    api: 'Heartbeat',
    request: ({ version, clientId }) => {
      const own = left.get(clientId) ?? [...codes];
      left.set(clientId, own);
      const code = own.shift();
      if (code === undefined) return undefined;
      const answer = new EncoderClass();
      return (version > 0 ? answer.writeInt32(THROTTLE) : answer).writeInt16(code).buffer;
    },
  });
}

/** So many joins of each group are refused. */
function refuseJoins(times: number, code: number): void {
  const refused = new Map<string, number>();
  world.proxies.interfere({
    api: 'JoinGroup',
    request: ({ version, clientId }) => {
      const before = refused.get(clientId) ?? 0;
      refused.set(clientId, before + 1);
      if (before >= times) return undefined;
      const answer = version > 1 ? new EncoderClass().writeInt32(THROTTLE) : new EncoderClass();
      const nothing = answer.writeInt16(code).writeInt32(-1).writeString('').writeString('').writeString('');
      return nothing.writeArray([]).buffer;
    },
  });
}

test('a coordinator that is none any more, while the next one loads: nobody joins anew, and nothing waits', async () => {
  const { proxies } = world;
  const since = proxies.requests.length;
  refuseJoins(3, LOADING);
  beat(NOT_COORDINATOR, NOT_COORDINATOR, LOADING);
  await waitFor('the heartbeats were answered', () => proxies.count('Heartbeat', since) >= 2 * 4);
  expect(proxies.count('JoinGroup', since)).toBe(0);
  await pair.feed(30);
  await pair.awaitAll();
});

test('joins that are refused are tried again, at a walk, until they succeed; readiness says so meanwhile', async () => {
  const { proxies } = world;
  const since = proxies.requests.length;
  refuseJoins(4, LOADING);
  beat(REBALANCE);
  await waitFor('the sink says so', () => pair.problems().sink !== undefined);
  await waitFor('the loop says so', () => pair.problems().loop.length > 0);
  await pair.feed(30);
  await pair.awaitAll();
  await waitFor('both are well', () => pair.isWell());
  // Four refused and one that is not, by each of them; a rebalance may cost one more.
  expect(proxies.count('JoinGroup', since)).toBeLessThanOrEqual(2 * 7);
});

test('kafkajs takes a join that was refused for one that was made', async (test) => {
  const { proxies } = world;
  const { Kafka, logLevel } = plainKafkajs();
  const clientId = unique('kafkajs');
  const client = new Kafka({ brokers: [...world.settings.brokers], clientId, logLevel: logLevel.NOTHING });
  const consumer = client.consumer({
    groupId: unique('kafkajs'),
    sessionTimeout: 6_000,
    heartbeatInterval: 500,
  });
  await consumer.connect();
  test.onTestFinished(() => consumer.disconnect());
  await consumer.subscribe({ topic: pair.input, fromBeginning: true });
  const read: string[] = [];
  await consumer.run({ eachMessage: async ({ message }) => void read.push(message.offset) });
  await waitFor('it reads', () => read.length > 0);
  const since = proxies.requests.length;
  const asked = () =>
    proxies.requests
      .slice(since)
      .filter((of) => of.clientId === clientId && ['JoinGroup', 'Heartbeat'].includes(of.api))
      .map(({ api }) => api);
  refuseJoins(1, LOADING);
  beat(REBALANCE);
  const refused = () => asked().indexOf('JoinGroup');
  await waitFor('it has tried, and goes on', () => refused() >= 0 && asked().length > refused() + 1);
  expect(asked()[refused() + 1]).toBe('Heartbeat');
});

test('who is not known any more joins as somebody else', async () => {
  const since = world.proxies.requests.length;
  refuseJoins(1, NOT_COORDINATOR);
  beat(UNKNOWN_MEMBER);
  await waitFor('both have joined', () => world.proxies.count('SyncGroup', since) >= 2);
  await pair.feed(30);
  await pair.awaitAll();
});

test('coordinators that really move, again and again: no generation ends by it', async () => {
  const { cluster, proxies } = world;
  const groups = [pair.loop.groupId, pair.sink.groupId];
  const since = proxies.requests.length;
  for (let round = 0; round < 3; round++) {
    for (const groupId of groups) {
      const to = ((await cluster.coordinatorOf({ groupId })) % 3) + 1;
      await cluster.moveCoordinator({ groupId }, to);
      await pair.feed(30);
    }
    await pair.awaitAll();
  }
  await waitFor('both are well', () => pair.isWell());
  // It is asked where it is and what there is, and not without end.
  const asked = proxies.requests.length - since;
  expect(proxies.count('JoinGroup', since)).toBeLessThanOrEqual(4);
  expect(asked).toBeLessThan(5_000);
});

test('a leader that coordinates both is killed right after it has acknowledged: they go on, no log is truncated', async () => {
  const { cluster, proxies } = world;
  const victim = await cluster.coordinatorOf({ groupId: pair.loop.groupId });
  await cluster.moveCoordinator({ groupId: pair.sink.groupId }, victim);
  await cluster.moveLeader(pair.input, 0, victim);
  await pair.feed(60);
  const since = proxies.requests.length;
  await cluster.broker(victim).kill();
  await pair.feed(30);
  await pair.awaitAll();
  await waitFor('both are well', () => pair.isWell(), DEADLINE_MS);
  expect(proxies.count('JoinGroup', since)).toBeLessThanOrEqual(20);
  await cluster.broker(victim).start();
  await cluster.awaitInSync();
  await pair.requireExact();
});

test('a leader is frozen, others take over, and it comes back with what it knew: no truncated log', async () => {
  const { cluster } = world;
  const [leader = 1] = await cluster.leadersOf(pair.input);
  await cluster.broker(leader).pause();
  await pair.feed(30);
  await pair.awaitAll();
  await cluster.broker(leader).resume();
  await pair.feed(30);
  await pair.awaitAll();
  await cluster.awaitInSync();
  await pair.requireExact();
});

test('a write of the sink that ends while every connection is torn down ends nothing', async () => {
  const { proxies } = world;
  const gate = Promise.withResolvers<void>();
  let writing = false;
  pair.before = async () => {
    writing = true;
    await gate.promise;
  };
  await pair.feed(30);
  await waitFor('a write is under way', () => writing);
  const back = [1, 2, 3].map((broker) => proxies.takeAway(broker));
  await waitFor('the sink has noticed', () => pair.problems().sink !== undefined, DEADLINE_MS);
  pair.before = async () => {};
  gate.resolve();
  const tried = proxies.refused;
  await waitFor('it has tried to commit', () => proxies.refused > tried + 5);
  expect(pair.ended).toEqual([]);
  for (const return_ of back) return_();
  await pair.awaitAll();
  await waitFor('both are well', () => pair.isWell(), DEADLINE_MS);
  await pair.requireExact();
});
