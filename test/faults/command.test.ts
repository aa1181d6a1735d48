import { expect, test } from 'vitest';
import { readCommand } from './command.ts';
import { BROKER_RESTARTS, WHOLE_DECK, WHOLE_DECK_OF_SEVERAL } from './schedule.ts';

test('without arguments it is one broker and everything', () => {
  expect(readCommand([])).toMatchObject({
    ...{ brokers: 1, minutes: 5, rate: 850, everyMs: 4_000, spool: true, deck: WHOLE_DECK },
    ...{ seed: undefined, repeat: '', substitute: undefined, keep: false, from: undefined, secured: false },
  });
});

test('several brokers have faults of their own', () => {
  expect(readCommand(['--brokers', '3']).deck).toBe(WHOLE_DECK_OF_SEVERAL);
  const restarts = readCommand(['--brokers=3', '--only', 'broker-restarts', '--spool', 'off']);
  expect(restarts).toMatchObject({ deck: BROKER_RESTARTS, spool: false });
  expect(readCommand(['--only', 'none']).deck).toEqual([]);
});

test('a broker can be delayed all the time, and a module be put in the place of another', () => {
  const command = readCommand(['--brokers', '3', '--delay-broker', '2=120', '--substitute', 'other.ts']);
  expect([...command.delays]).toEqual([[1, 120]]);
  expect(command.substitute).toBe('other.ts');
});

test('everything can ask who its clients are', () => {
  expect(readCommand(['--secured', '--minutes', '2'])).toMatchObject({
    ...{ secured: true, repeat: '--secured --minutes 2' },
  });
});

test('a run can begin with another release', () => {
  const { from, repeat } = readCommand(['--from', '../release', '--seed', '2']);
  expect({ from, repeat }).toEqual({ from: '../release', repeat: '--from ../release' });
});

test('what repeats a run is what was given, but for the seed', () => {
  const repeat = (...args: string[]) => readCommand(args).repeat;
  expect(repeat('--seed', '7', '--minutes', '2', '--only', 'kill kafka')).toBe(
    '--minutes 2 --only "kill kafka"',
  );
  expect(repeat('--seed=7', '--brokers', '3')).toBe('--brokers 3');
});

test('what cannot be done is refused', () => {
  for (const [args, message] of [
    [['--brokers', '2'], '--brokers 2: 1 or 3'],
    [['--minutes', '0'], '--minutes 0: a number above 0 is needed'],
    [['--spool', 'maybe'], '--spool maybe: on or off'],
    [['--only', 'kill kafak'], 'there is no such fault'],
    [['--only', 'broker-restarts'], 'needs --brokers 3'],
    [['--delay-broker', '2=100'], 'brokers count from 1'],
    [['--delay-broker', 'x'], 'BROKER=MILLISECONDS'],
    [['--from', 'a', '--substitute', 'b.ts'], '--from and --substitute'],
  ] as const) {
    expect(() => readCommand(args)).toThrow(message);
  }
});
