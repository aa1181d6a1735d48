import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { IdleCommits } from './idle-commits.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function idleCommits() {
  const commits: [number, number][] = [];
  const idle = new IdleCommits(async (partition, nextOffset) => {
    commits.push([partition, nextOffset]);
  }, 100);
  return { idle, commits };
}

test('a partition that went quiet commits the newest position once', () => {
  const { idle, commits } = idleCommits();
  idle.passed(0, 5);
  idle.passed(1, 7);
  vi.advanceTimersByTime(60);
  idle.passed(0, 6);
  expect(commits).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(commits).toEqual([
    [0, 6],
    [1, 7],
  ]);
});

test('records, another owner and the end call it off', () => {
  const { idle, commits } = idleCommits();
  idle.passed(0, 5);
  idle.forget(0);
  idle.passed(1, 5);
  idle.passed(2, 5);
  idle.forgetAll();
  vi.advanceTimersByTime(1_000);
  expect(commits).toEqual([]);
  idle.passed(0, 9);
  vi.advanceTimersByTime(1_000);
  expect(commits).toEqual([[0, 9]]);
});
