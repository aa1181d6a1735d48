import { expect, test } from 'vitest';
import { readCommand } from './command.ts';

test('a minute at fifty requests a second, if nothing else is asked for', () => {
  expect(readCommand([])).toMatchObject({ seconds: 60, rate: 50, floodSeconds: 10, seed: undefined });
  expect(
    readCommand(['--seconds', '5', '--flood', '0', '--seed', '7', '--all-esps', '--max-bytes', '2e6']),
  ).toMatchObject({
    ...{ seconds: 5, floodSeconds: 0, seed: 7, maxBytesPerSecond: 2_000_000 },
  });
  expect(readCommand(['--all-esps']).honestEsps.length).toBeGreaterThan(15);
});

test.each([[['--rate', 'fast']], [['--seconds', '0']], [['--nothing']]])('%j is refused', (args) => {
  expect(() => readCommand(args)).toThrow();
});
