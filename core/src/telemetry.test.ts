import { afterEach, expect, test, vi } from 'vitest';
import { createLogger } from './telemetry.ts';

afterEach(() => vi.restoreAllMocks());

test('the level decides what is logged', () => {
  const log = createLogger('ingress', 'warn');
  expect(['debug', 'info', 'warn', 'error'].map((level) => log.isLevelEnabled(level))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

test('an event is one line of JSON with the service, the level by name and the time in UTC', () => {
  // pino hands a line to its stream in one piece.
  const log = createLogger('ingress', 'info');
  const stream = (log as unknown as { [key: symbol]: { write(line: string): void } })[
    Object.getOwnPropertySymbols(log).find(({ description }) => description === 'pino.stream') ?? Symbol()
  ];
  const write = vi.spyOn(stream as { write(line: string): void }, 'write').mockImplementation(() => {});
  log.warn({ code: 'KAFKA_UNREACHABLE', partition: 3 }, 'no\nbroker');
  expect(write).toHaveBeenCalledOnce();
  const line = write.mock.calls[0]?.[0] ?? '';
  expect(line.trimEnd()).not.toContain('\n');
  const { time, ...rest } = JSON.parse(line);
  expect(rest).toEqual({
    level: 'warn',
    service: 'ingress',
    code: 'KAFKA_UNREACHABLE',
    partition: 3,
    msg: 'no\nbroker',
  });
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});
