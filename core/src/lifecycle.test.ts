import { afterEach, expect, test, vi } from 'vitest';
import { type ErrorCode, PipelineError } from './errors.ts';
import { runStopSteps, type StopStep, whenThere, withDeadline } from './lifecycle.ts';
import type { Logger } from './telemetry.ts';

afterEach(() => vi.useRealTimers());

function logOf(lines: object[]): Logger {
  return { error: (fields: object) => lines.push(fields) } as unknown as Logger;
}

const step = (name: string, run: StopStep['run'], deadlineMs = 1_000): StopStep => ({
  name,
  deadlineMs,
  run,
});

test('steps run one after the other', async () => {
  const order: string[] = [];
  const slow = async () => {
    await new Promise(setImmediate);
    order.push('first');
  };
  await runStopSteps([step('first', slow), step('second', () => order.push('second'))], logOf([]));
  expect(order).toEqual(['first', 'second']);
});

test('a step that fails, at once or later, is logged and does not keep the rest from running', async () => {
  const lines: object[] = [];
  const last = vi.fn();
  const steps = [
    step('throws', () => {
      throw new TypeError('no');
    }),
    step('rejects', () => Promise.reject(new RangeError('no'))),
    step('last', last),
  ];
  await runStopSteps(steps, logOf(lines));
  expect(last).toHaveBeenCalledOnce();
  expect(lines).toMatchObject([
    { step: 'throws', code: 'TypeError' },
    { step: 'rejects', code: 'RangeError' },
  ]);
});

test('a step that takes too long is left behind', async () => {
  vi.useFakeTimers();
  const lines: object[] = [];
  const last = vi.fn();
  const stopped = runStopSteps(
    [step('hangs', () => new Promise(() => {}), 5_000), step('last', last)],
    logOf(lines),
  );
  await vi.advanceTimersByTimeAsync(4_999);
  expect(last).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  await stopped;
  expect(last).toHaveBeenCalledOnce();
  expect(lines).toMatchObject([{ step: 'hangs', code: 'SERVICE_STOP_TIMEOUT' }]);
});

test('what comes in time is passed on, and no timer stays', async () => {
  vi.useFakeTimers();
  expect(await withDeadline(Promise.resolve(7), 1_000, 'work')).toBe(7);
  await expect(withDeadline(Promise.reject(new TypeError()), 1_000, 'work')).rejects.toThrow(TypeError);
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a failure after the deadline changes nothing', async () => {
  vi.useFakeTimers();
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  try {
    const { promise, reject } = Promise.withResolvers();
    const waited = withDeadline(promise, 10, 'work').catch((error) => error.code);
    await vi.advanceTimersByTimeAsync(10);
    expect(await waited).toBe('SERVICE_STOP_TIMEOUT');
    reject(new Error('late'));
    vi.useRealTimers();
    await new Promise(setImmediate);
    expect(unhandled).not.toHaveBeenCalled();
  } finally {
    process.off('unhandledRejection', unhandled);
  }
});

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
