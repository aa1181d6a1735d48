import { expect, test } from 'vitest';
import { FailureBudget } from './failure-budget.ts';

const NEVER = new AbortController().signal;

function started(delayMs = 60_000) {
  let now = 0;
  const budget = new FailureBudget({ now: () => now, delayMs });
  const fail = (times: number, network = 'a', source = 'shop') => {
    for (let i = 0; i < times; i++) budget.failed(source, network);
  };
  return {
    budget,
    fail,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('is one of its own for each source and network, and comes back', () => {
  const { budget, fail, pass } = started();
  expect(budget.isExhausted('shop', 'a')).toBe(false);
  fail(19);
  expect(budget.isExhausted('shop', 'a')).toBe(false);
  fail(100);
  expect(budget.isExhausted('shop', 'a')).toBe(true);
  expect(budget.isExhausted('shop', 'b')).toBe(false);
  expect(budget.isExhausted('other', 'a')).toBe(false);
  // However many failed meanwhile.
  pass(3_100);
  expect(budget.isExhausted('shop', 'a')).toBe(false);
});

test('a guess waits only if there were many, and only some at a time', async () => {
  const { budget, fail } = started();
  await budget.slowDown('shop', 'a', NEVER);
  fail(20);
  const gone = new AbortController();
  let waiting = 0;
  const wait = async (network: string) => {
    waiting++;
    await budget.slowDown('shop', network, gone.signal);
    waiting--;
  };
  const all = Array.from({ length: 100 }, () => wait('a'));
  await new Promise((next) => setImmediate(next));
  expect(waiting).toBe(8);
  for (let i = 0; i < 100; i++) {
    fail(20, `n${i}`);
    all.push(wait(`n${i}`));
  }
  await new Promise((next) => setImmediate(next));
  expect(waiting).toBe(64);
  gone.abort();
  await Promise.all(all);
  expect(waiting).toBe(0);
  const again = new AbortController();
  const one = budget.slowDown('shop', 'a', again.signal);
  again.abort();
  await one;
});

test('the wait ends by itself', async () => {
  const { budget, fail } = started(1);
  fail(20);
  await budget.slowDown('shop', 'a', NEVER);
});
