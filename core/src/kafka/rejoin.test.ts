import { expect, test, vi } from 'vitest';
import { PipelineError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Rejoin } from './rejoin.ts';

const away = () => Object.assign(new Error('closed'), { name: 'KafkaJSConnectionError' });
const refused = () =>
  Object.assign(new Error('no'), { name: 'KafkaJSProtocolError', type: 'GROUP_AUTHORIZATION_FAILED' });

function setUp(start: (attempt: number) => void) {
  const abort = new AbortController();
  const failures: unknown[] = [];
  const warn = vi.fn();
  const starts = { attempts: 0, done: 0 };
  const rejoin = new Rejoin({
    log: { warn } as unknown as Logger,
    start: async () => {
      start(++starts.attempts);
      starts.done++;
    },
    stopped: abort.signal,
    failed: (error) => void failures.push(error),
    pauseMs: 1,
  });
  return { rejoin, abort, failures, warn, starts };
}

test('it is started again until that works; one log line says so', async () => {
  const { rejoin, failures, warn, starts } = setUp((attempt) => {
    if (attempt < 5) throw away();
  });
  rejoin.crashed(away());
  await vi.waitFor(() => expect(starts.done).toBe(1));
  expect(starts.attempts).toBe(5);
  expect(failures).toEqual([]);
  expect(warn).toHaveBeenCalledTimes(1);
});

test('a crash while it is being started is not overlooked', async () => {
  // kafkajs tells of a crash and yet resolves.
  const { rejoin, starts } = setUp((attempt) => attempt === 1 && rejoin.crashed(away()));
  rejoin.crashed(away());
  await vi.waitFor(() => expect(starts.done).toBe(2));
  rejoin.crashed(away());
  await vi.waitFor(() => expect(starts.done).toBe(3));
});

test('what cannot pass ends it at once, also inside of what was retried', () => {
  const { rejoin, failures, starts } = setUp(() => {});
  const wrapped = Object.assign(new Error('retries', { cause: refused() }), {
    name: 'KafkaJSNumberOfRetriesExceeded',
  });
  const errors = [refused(), wrapped, new PipelineError('KAFKA_LOG_TRUNCATED', 'fatal', 'gone')];
  for (const error of errors) rejoin.crashed(error);
  expect(failures).toEqual(errors);
  expect(starts.attempts).toBe(0);
});

test('what nobody foresaw gets some chances, and all of them again once it was back', async () => {
  const { rejoin, failures, starts } = setUp((attempt) => {
    if (attempt === 9) rejoin.joined();
    throw new TypeError('null');
  });
  rejoin.crashed(new TypeError('null'));
  await vi.waitFor(() => expect(failures).toHaveLength(1));
  // Nine and the first crash of a new count, which ends with the eleventh.
  expect(starts.attempts).toBe(19);
});

test('a service that stops starts nothing', async () => {
  const { rejoin, abort, starts } = setUp(() => {});
  abort.abort();
  rejoin.crashed(away());
  const other = setUp(() => {});
  other.rejoin.crashed(away());
  await vi.waitFor(() => expect(other.starts.done).toBe(1));
  expect(starts.attempts).toBe(0);
});
