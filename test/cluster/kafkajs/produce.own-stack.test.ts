import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fileScope } from '../../harness/stack.ts';
import * as scenarios from './produce-scenarios.ts';
import { startWorld, type World } from './world.ts';
import { implementations } from './writers.ts';

const { scope, end } = fileScope();
let world: World;
beforeAll(async () => {
  world = await startWorld(scope);
});
afterEach(() => world.proxies.calm());
afterAll(end);

const { ours, kafkajs } = implementations;
/** A machine that is busy enough may pass such a moment by: then it is made once more. */
const TRIES = 2;
const [A, B] = [
  ['a0', 'a1', 'a2'],
  ['b0', 'b1', 'b2'],
];

// Each moment is made twice: ours holds, and kafkajs 2.2.4's own producer does not, which shows that the moment was had.
describe('a partition whose next leader has answered already', () => {
  test('gets what it was to get', async () => {
    expect(await scenarios.skipped(world, ours)).toEqual({ partitions: [A, B], committed: 3 });
  });

  test('kafkajs leaves it out, acknowledges it and commits', { retry: TRIES }, async () => {
    const found = await scenarios.skipped(world, kafkajs);
    expect(found).toEqual({ partitions: [['a0', 'a2'], B], committed: 3 });
  });
});

describe('a partition that moves after it was acknowledged', () => {
  test('gets nothing twice', async () => {
    expect(await scenarios.moved(world, ours)).toEqual({ partitions: [A, B], committed: 3 });
  });

  test('kafkajs writes it to the next leader as well', { retry: TRIES }, async () => {
    const found = await scenarios.moved(world, kafkajs);
    expect(found).toEqual({ partitions: [['a0', 'a1', 'a1', 'a2'], B], committed: 3 });
  });
});

describe('a batch that was appended and refused', () => {
  test('keeps its number, and the next one has another', async () => {
    const found = await scenarios.takenBack(world, ours);
    expect(found).toEqual({ partitions: [['a0', 'a1', 'a2', 'a3']], committed: 4 });
  });

  test('kafkajs gives its number to the next one, which is lost', { retry: TRIES }, async () => {
    const found = await scenarios.takenBack(world, kafkajs);
    expect(found).toEqual({ partitions: [['a0', 'a1', 'a3']], committed: 4 });
  });
});

describe('three healthy brokers, of which one is slower', () => {
  const expected = (count: number) =>
    ['a', 'b', 'c'].map((name) => Array.from({ length: count }, (_, i) => `${name}${i}`));

  test('everything is there once and in order', async () => {
    const found = await scenarios.healthy(world, ours, { transactions: 200, slowEvery: 4 });
    expect(found).toEqual({ partitions: expected(200), committed: 200 });
  });

  test('kafkajs writes some of it twice', { retry: TRIES }, async () => {
    const { partitions } = await scenarios.healthy(world, kafkajs, { transactions: 20, slowEvery: 1 });
    expect(partitions.map((values) => [...new Set(values)].length)).toEqual([20, 20, 20]);
    expect(partitions.flat().length).toBeGreaterThan(60);
  });
});
