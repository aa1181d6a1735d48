import { AssignerProtocol } from 'kafkajs';
import { pino } from 'pino';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../../../../test/harness/wait.ts';
import { heartbeat, joinGroup, leaveGroup, offsetCommit, syncGroup } from '../client/requests.ts';
import { FakeBrokers } from '../testing/fake-brokers.ts';
import { type Assigned, type Assigner, roundRobin } from './assigners.ts';
import { type Generation, Membership } from './membership.ts';

const LOADING = 14;
const NO_COORDINATOR = 15;
const NOT_COORDINATOR = 16;
const ILLEGAL_GENERATION = 22;
const UNKNOWN_MEMBER = 25;
const REBALANCE = 27;
const NOT_AUTHORIZED = 30;
const ID_REQUIRED = 79;

let brokers: FakeBrokers;
/** Codes of the answers that come next, by request; then 0. */
let codes: { join: number[]; sync: number[]; beat: number[]; leave: number[] };
let generation: number;
let members: string[];
let events: string[];
beforeEach(() => {
  brokers = new FakeBrokers({ t: [1, 2, 3] });
  codes = { join: [], sync: [], beat: [], leave: [] };
  [generation, members, events] = [0, ['me'], []];
  const metadata = AssignerProtocol.MemberMetadata.encode({
    version: 0,
    topics: ['t'],
    userData: Buffer.alloc(0),
  });
  brokers.on(joinGroup, ({ memberId }) => {
    const errorCode = codes.join.shift() ?? 0;
    if (errorCode === 0) generation += 1;
    const given = errorCode === ID_REQUIRED || memberId === '' ? 'me' : memberId;
    const found = members.map((of) => ({ memberId: of, memberMetadata: metadata }));
    const of = { generationId: generation, groupProtocol: 'RoundRobinAssigner', leaderId: 'me' };
    return { errorCode, ...of, memberId: given, members: found };
  });
  brokers.on(syncGroup, ({ groupAssignment, memberId }) => {
    const own = groupAssignment.find((of) => of.memberId === memberId)?.memberAssignment;
    return { errorCode: codes.sync.shift() ?? 0, memberAssignment: own ?? Buffer.alloc(0) };
  });
  brokers.on(heartbeat, () => ({ errorCode: codes.beat.shift() ?? 0 }));
  brokers.on(leaveGroup, () => ({ errorCode: codes.leave.shift() ?? 0 }));
});

function start(assigner: Assigner = roundRobin) {
  const stop = new AbortController();
  const lines: { [name: string]: unknown }[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(JSON.parse(line)) });
  const assigned: { readonly all: Assigned; readonly generation: Generation }[] = [];
  const member = new Membership({
    ...{ brokers, groupId: 'g', topics: ['t'], assigner, sessionTimeoutMs: 300, log },
    onJoining: () => void events.push('joining'),
    onAssigned: (all, of) => {
      events.push(`assigned ${of.id}`);
      assigned.push({ all, generation: of });
    },
  });
  const done = member.run(stop.signal);
  done.catch(() => {});
  onTestFinished(async () => {
    stop.abort();
    await done.catch(() => {});
  });
  return { member, done, assigned, lines, stop: () => stop.abort() };
}
const count = (api: string) => brokers.askedFor(api).length;
/** So many more heartbeats: what was to follow something would have followed by then. */
const beats = (more: number) => {
  const before = count('Heartbeat');
  return waitFor('heartbeats', () => count('Heartbeat') >= before + more);
};

test('it joins, shares out, and stays', async () => {
  const { member, assigned } = start();
  expect(member.problem()).toBe('KAFKA_NOT_JOINED');
  await waitFor('an assignment', () => assigned.length === 1);
  expect(assigned).toEqual([{ all: { t: [0, 1, 2] }, generation: { id: 1, memberId: 'me' } }]);
  expect(member.problem()).toBeUndefined();
  await beats(3);
  expect(events).toEqual(['joining', 'assigned 1']);
});

test('its partitions are logged when they have changed, not each time it joins', async () => {
  const { assigned, lines } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  codes.beat = [REBALANCE, 0];
  await waitFor('another assignment', () => assigned.length === 2);
  members = ['me', 'other'];
  codes.beat = [REBALANCE, 0];
  await waitFor('a share', () => assigned.length === 3);
  const told = lines.filter(({ msg }) => msg === 'partitions assigned');
  expect(told.map(({ partitions }) => partitions)).toEqual([assigned[0]?.all, assigned[2]?.all]);
});

test('a join that is refused is tried again until it has succeeded', async () => {
  codes.join = [LOADING, NOT_COORDINATOR, LOADING];
  const { assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  expect(count('JoinGroup')).toBe(4);
  expect(events).toEqual([...Array(4).fill('joining'), 'assigned 1']);
});

test('a name that the group gives first is told it at once', async () => {
  codes.join = [ID_REQUIRED];
  const { assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  expect(brokers.askedFor('JoinGroup').map(({ query }) => (query as { memberId: string }).memberId)).toEqual([
    '',
    'me',
  ]);
  expect(events).toEqual(['joining', 'assigned 1']);
});

test.each([LOADING, NO_COORDINATOR, NOT_COORDINATOR])(
  'a coordinator that moves (%i) knows the same generation: nothing is joined anew',
  async (code) => {
    const { member, assigned } = start();
    await waitFor('an assignment', () => assigned.length === 1);
    codes.beat = [code, code];
    brokers.coordinatorId = 2;
    await beats(4);
    expect(member.problem()).toBeUndefined();
    expect(events).toEqual(['joining', 'assigned 1']);
    if (code !== LOADING) expect(brokers.askedFor('Heartbeat').at(-1)?.node).toBe(2);
  },
);

test('a heartbeat that says NOT_COORDINATOR, and a join that is refused after it: it joins until it has joined', async () => {
  const { member, assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  codes.join = [LOADING, LOADING];
  codes.beat = [NOT_COORDINATOR, UNKNOWN_MEMBER];
  await waitFor('the next assignment', () => assigned.length === 2);
  expect(events).toEqual(['joining', 'assigned 1', 'joining', 'joining', 'joining', 'assigned 2']);
  await beats(2);
  expect(member.problem()).toBeUndefined();
});

test.each([REBALANCE, ILLEGAL_GENERATION])('the group says %i: it joins again, by its name', async (code) => {
  const { assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  codes.beat = [code];
  await waitFor('the next assignment', () => assigned.length === 2);
  expect(assigned[1]?.generation).toEqual({ id: 2, memberId: 'me' });
  expect(brokers.askedFor('JoinGroup').at(-1)?.query).toMatchObject({ memberId: 'me' });
});

test('one that the group does not know any more joins without a name', async () => {
  const { assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  codes.beat = [UNKNOWN_MEMBER];
  await waitFor('the next assignment', () => assigned.length === 2);
  expect(brokers.askedFor('JoinGroup').at(-1)?.query).toMatchObject({ memberId: '' });
});

test('a sync that is refused is a join that has not succeeded', async () => {
  codes.sync = [REBALANCE];
  const { assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  expect(events).toEqual(['joining', 'joining', 'assigned 2']);
});

test('a group without a coordinator for longer than the session is a problem, until it is over', async () => {
  const { member, assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  codes.beat = Array(1_000).fill(NO_COORDINATOR);
  await waitFor('a problem', () => member.problem() === 'GROUP_COORDINATOR_NOT_AVAILABLE');
  codes.beat = [];
  await waitFor('it is over', () => member.problem() === undefined);
  expect(events).toEqual(['joining', 'assigned 1']);
});

test('an assignment that leaves a partition out is none', async () => {
  let lacking = true;
  const assigner: Assigner = {
    ...roundRobin,
    assign: (of, partitions) => roundRobin.assign(of, lacking ? partitions.slice(1) : partitions),
  };
  const { member, assigned } = start(assigner);
  await waitFor('some tries', () => count('JoinGroup') > 2);
  expect(assigned).toEqual([]);
  expect(count('SyncGroup')).toBe(0);
  expect(member.problem()).toBeDefined();
  lacking = false;
  await waitFor('an assignment', () => assigned.length === 1);
  expect(member.problem()).toBeUndefined();
});

test('what no waiting changes ends it', async () => {
  codes.join = [NOT_AUTHORIZED];
  const { done } = start();
  await expect(done).rejects.toMatchObject({ type: 'GROUP_AUTHORIZATION_FAILED' });
});

test('a member that stops leaves the group', async () => {
  const { done, assigned, stop } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  stop();
  await done;
  expect(brokers.askedFor('LeaveGroup').map(({ query }) => query)).toEqual([
    { groupId: 'g', memberId: 'me' },
  ]);
});

test('a group that does not answer the leave request does not hold up the stop', async () => {
  brokers.on(leaveGroup, () => new Promise<never>(() => {}));
  const { done, assigned, stop } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  stop();
  await done;
});

const OFFSETS = [
  { topic: 't', partition: 0, offset: 5, metadata: 'm' },
  { topic: 't', partition: 2, offset: 7, metadata: null },
];
const commits = (answered: readonly { partition: number; errorCode: number }[]) =>
  brokers.on(offsetCommit, () => ({ responses: [{ topic: 't', partitions: answered }] }));

test('a commit is for a generation, and each of its partitions is answered', async () => {
  const { member, assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  const of = assigned[0]!.generation;
  commits([
    { partition: 0, errorCode: 0 },
    { partition: 2, errorCode: 0 },
  ]);
  await member.commit(of, OFFSETS);
  expect(brokers.askedFor('OffsetCommit')[0]?.query).toMatchObject({ memberId: 'me', groupGenerationId: 1 });
  commits([{ partition: 0, errorCode: 0 }]);
  await expect(member.commit(of, OFFSETS)).rejects.toMatchObject({ name: 'AnswerIncomplete' });
  commits([
    { partition: 0, errorCode: 0 },
    { partition: 2, errorCode: ILLEGAL_GENERATION },
  ]);
  await expect(member.commit(of, OFFSETS)).rejects.toMatchObject({ type: 'ILLEGAL_GENERATION' });
});

test('a caller learns whether the group still counts on this member', async () => {
  const { member, assigned } = start();
  await waitFor('an assignment', () => assigned.length === 1);
  expect(await member.confirmed()).toBe(true);
  codes.beat = [REBALANCE];
  expect(await member.confirmed()).toBe(false);
});
