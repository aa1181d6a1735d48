import { expect, test } from 'vitest';
import { formatProgress, type ProgressEvent, withProgress } from './progress.ts';

function clock(...times: number[]): () => number {
  return () => times.shift() ?? 0;
}

test('reports the begin and the end with the time between', async () => {
  const events: ProgressEvent[] = [];
  const step = { component: 'kafka', step: 'start' } as const;
  const result = await withProgress(
    (event) => events.push(event),
    step,
    async () => 7,
    clock(1000, 2500),
  );
  expect(result).toBe(7);
  expect(events).toEqual([
    { ...step, state: 'begin' },
    { ...step, state: 'done', tookMs: 1500 },
  ]);
});

test('reports a failure and passes its error on', async () => {
  const events: ProgressEvent[] = [];
  const failure = new Error('no');
  const work = withProgress(
    (event) => events.push(event),
    { component: 'java', step: 'install' },
    () => Promise.reject(failure),
    clock(0, 10),
  );
  await expect(work).rejects.toBe(failure);
  expect(events.map((event) => event.state)).toEqual(['begin', 'failed']);
});

test('a line says who, what and how long', () => {
  const event: ProgressEvent = { component: 'kafka', step: 'install', state: 'done', detail: 'Kafka 4' };
  expect(formatProgress({ ...event, tookMs: 5432 })).toBe('kafka      installed Kafka 4 (5.4 s)');
});
