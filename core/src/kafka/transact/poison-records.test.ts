import { beforeEach, expect, test } from 'vitest';
import { MemoryClient, MemoryKafka } from '../testing/memory-kafka.ts';
import { PoisonStage } from '../testing/poison-stage.ts';
import { Lane } from './lane.ts';
import { Blame, Isolation } from './poison-records.ts';

const HALTED = { code: 'PROCESSOR_HALTED', disposition: 'retry' };
const fine = async () => {};
let now = 0;
let told: string[];
let blame: Blame;
beforeEach(() => {
  now = 0;
  told = [];
  blame = new Blame({
    halted: (why) => told.push(why),
    resumed: () => told.push('resumed'),
    clock: () => now,
  });
});

let offset = 0;
const judge = (source: string, partition = 0, checkItself = fine) =>
  blame.judge({ partition, offset: offset++ }, [source], checkItself);

test('one source never halts, however many of its records fail', async () => {
  for (let i = 0; i < 1_000; i++) await judge('a', i % 6);
  expect(blame.isHalted).toBe(false);
});

test('three sources within ten minutes halt, and three over a longer time do not', async () => {
  await judge('a');
  await judge('b');
  now += 600_001;
  await judge('c');
  await judge('c');
  now += 300_000;
  await judge('a');
  await expect(judge('b')).rejects.toMatchObject(HALTED);
  expect(told).toEqual(['records of several sources fail']);
});

test('three sources with many good records between them do not halt', async () => {
  for (const source of ['a', 'b', 'c', 'd']) {
    await judge(source);
    blame.passed(0, offset, 60);
  }
  expect(blame.isHalted).toBe(false);
});

test('two sources halt when both fail repeatedly', async () => {
  for (let i = 0; i < 100; i++) await judge('a');
  await judge('b');
  await judge('b');
  await expect(judge('b')).rejects.toMatchObject(HALTED);
});

test('a record that comes again is one failure', async () => {
  for (let i = 0; i < 5; i++) await judge('a');
  for (let i = 0; i < 20; i++) await blame.judge({ partition: 1, offset: 7 }, ['b'], fine);
  expect(blame.isHalted).toBe(false);
});

test('when a good record fails too nothing is set aside; when it does not any more, the bad one is', async () => {
  const at = { partition: 2, offset: 9 };
  const fails = () => Promise.reject(new TypeError('ours'));
  await expect(blame.judge(at, ['a'], fails)).rejects.toMatchObject(HALTED);
  expect([blame.isHalted, blame.isHalting(2), blame.isHalting(1)]).toEqual([true, true, false]);
  await blame.judge(at, ['a'], fine);
  expect(blame.isHalted).toBe(false);
  expect(told).toEqual(['a good record fails too', 'resumed']);
});

test('once several sources have failed only the records themselves lift the halt', async () => {
  for (const source of ['a', 'b']) await judge(source);
  await expect(blame.judge({ partition: 3, offset: 5 }, ['c'], fine)).rejects.toMatchObject(HALTED);
  await expect(blame.judge({ partition: 4, offset: 6 }, ['a'], fine)).rejects.toMatchObject(HALTED);
  now += 3_600_000;
  await expect(blame.judge({ partition: 3, offset: 5 }, ['c'], fine)).rejects.toMatchObject(HALTED);
  blame.passed(3, 5, 1);
  expect(blame.isHalting(3)).toBe(true);
  blame.passed(3, 6, 1);
  expect([blame.isHalting(3), blame.isHalted]).toEqual([false, true]);
  blame.forget(4);
  expect(blame.isHalted).toBe(false);
  expect(told.at(-1)).toBe('resumed');
});

async function partitionOf(kafka: MemoryKafka, partition: number, stage: PoisonStage, isolation: Isolation) {
  const client = new MemoryClient(kafka).partition('group', 'in', partition);
  const lane = new Lane({ client, partition, stage, isolation, blame });
  await lane.open();
  const records = kafka.committed('in', partition, lane.position);
  return lane.process(records, kafka.end('in', partition));
}

test('a fault of the service turns no topic into dead letters, and all is processed once it is mended', async () => {
  const kafka = new MemoryKafka();
  const isolations = [0, 1, 2].map(() => new Isolation());
  const sources = ['a', 'b', 'c', 'd'];
  for (let i = 0; i < 120; i++)
    kafka.produce('in', i % 3, { key: sources[i % 4] ?? null, value: Buffer.from(`${i}`) });
  const stage = new PoisonStage(() => new TypeError('ours'));
  const round = () =>
    Promise.allSettled(isolations.map((isolation, i) => partitionOf(kafka, i, stage, isolation)));
  for (let i = 0; i < 20; i++) await round();
  expect(blame.isHalted).toBe(true);
  const letters = kafka.committed('letters', 0).length;
  expect(letters).toBeLessThanOrEqual(6);
  stage.faultOf = () => undefined;
  expect((await round()).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  expect(blame.isHalted).toBe(false);
  expect(kafka.committed('out', 0)).toHaveLength(120 - letters);
});

test('a version that fails on what it ships with sets nothing aside at all', async () => {
  const kafka = new MemoryKafka();
  kafka.produce('in', 0, { value: Buffer.from('good') });
  const stage = new PoisonStage(() => new TypeError('ours'));
  stage.ownFault = new TypeError('ours');
  const isolation = new Isolation();
  for (let i = 0; i < 5; i++)
    await expect(partitionOf(kafka, 0, stage, isolation)).rejects.toMatchObject(HALTED);
  expect(kafka.committed('letters', 0)).toEqual([]);
  stage.ownFault = undefined;
  stage.faultOf = () => undefined;
  await partitionOf(kafka, 0, stage, isolation);
  expect(kafka.committed('out', 0)).toHaveLength(1);
});
