import { expect, test } from 'vitest';
import { roundsOf } from './rounds.ts';
import type { OutputRecord } from './stage.ts';

const record = (topic: string, partition: number, bytes: number, mark = 0): OutputRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.alloc(bytes, mark),
});

const values = (rounds: ReturnType<typeof roundsOf>, topic: string, partition: number) =>
  rounds.flatMap((round) =>
    round
      .filter((output) => output.topic === topic && output.partition === partition)
      .flatMap(({ messages }) => messages)
      .map(({ value }) => (value as Buffer)[0]),
  );

test('nothing is nothing to send', () => {
  expect(roundsOf([])).toEqual([]);
});

test('what fits goes in one send, by partition', () => {
  const rounds = roundsOf([record('a', 0, 10), record('b', 1, 10), record('a', 1, 10)], 1_000);
  expect(rounds).toHaveLength(1);
  expect(rounds[0]?.map(({ topic, partition, messages }) => [topic, partition, messages.length])).toEqual([
    ['a', 0, 1],
    ['b', 1, 1],
    ['a', 1, 1],
  ]);
});

test('no partition gets more than its limit in one send, and keeps its order', () => {
  const outputs = Array.from({ length: 20 }, (_, i) => record('a', i % 2, 300, i));
  const rounds = roundsOf(outputs, 1_000);
  for (const round of rounds) {
    for (const partition of [0, 1]) {
      const bytes = round
        .filter((output) => output.partition === partition)
        .flatMap(({ messages }) => messages)
        .reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      expect(bytes).toBeLessThanOrEqual(1_000);
    }
  }
  expect(values(rounds, 'a', 0)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  expect(values(rounds, 'a', 1)).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
});

test('a partition that is full does not hold up the others', () => {
  const rounds = roundsOf([record('a', 0, 900), record('a', 0, 900), record('b', 0, 10)], 1_000);
  expect(rounds[0]?.map(({ topic }) => topic)).toEqual(['a', 'b']);
  expect(rounds).toHaveLength(2);
});

test('a record beyond the limit is sent alone', () => {
  const rounds = roundsOf([record('a', 0, 10, 1), record('a', 0, 5_000, 2), record('a', 0, 10, 3)], 1_000);
  expect(rounds).toHaveLength(3);
  expect(values(rounds, 'a', 0)).toEqual([1, 2, 3]);
});

test('keys count, and headers are passed on', () => {
  const large = { ...record('a', 0, 0), key: 'k'.repeat(800), headers: { h: Buffer.from('x') } };
  const rounds = roundsOf([large, large], 1_000);
  expect(rounds).toHaveLength(2);
  expect(rounds[0]?.[0]?.messages[0]?.headers).toEqual({ h: Buffer.from('x') });
  expect(roundsOf([record('a', 0, 1)])[0]?.[0]?.messages[0]).not.toHaveProperty('headers');
});
