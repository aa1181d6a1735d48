import { expect, test } from 'vitest';
import { type ErrorCode, PipelineError } from './errors.ts';
import type { Logger } from './log.ts';
import { whenThere } from './start-up.ts';

function recorder() {
  const lines: { code: string; attempt: number }[] = [];
  const log = { warn: (line: { code: string; attempt: number }) => lines.push(line) } as unknown as Logger;
  return { lines, log };
}

const failure = (code: ErrorCode) => new PipelineError(code, 'retry', 'no');

test('what is not there yet is asked again, with a line each time', async () => {
  const { lines, log } = recorder();
  let calls = 0;
  const work = async () => {
    if (++calls < 3) throw failure('KAFKA_UNREACHABLE');
    return 'there';
  };
  expect(await whenThere(work, { log, what: 'kafka', pauseMs: 1 })).toBe('there');
  expect(lines).toMatchObject([
    { code: 'KAFKA_UNREACHABLE', what: 'kafka', attempt: 1 },
    { code: 'KAFKA_UNREACHABLE', what: 'kafka', attempt: 2 },
  ]);
});

test('it gives up at its deadline with the last error', async () => {
  const { lines, log } = recorder();
  const error = Object.assign(new Error(), { code: 'REGISTRY_UNREACHABLE' });
  const waiting = whenThere(() => Promise.reject(error), {
    log,
    what: 'registry',
    deadlineMs: 20,
    pauseMs: 5,
  });
  await expect(waiting).rejects.toBe(error);
  expect(lines.length).toBeGreaterThan(0);
});

test('what waiting cannot mend is thrown at once', async () => {
  const { lines, log } = recorder();
  const error = failure('KAFKA_TOPIC_MISSING');
  await expect(whenThere(() => Promise.reject(error), { log, what: 'kafka' })).rejects.toBe(error);
  expect(lines).toEqual([]);
});
