import type { Attempt } from '@email-events/dev/simulate';
import { expect, test } from 'vitest';
import { Answers } from './answers.ts';

const attempt = (status: number, tookMs: number, expected = 200) =>
  ({ planned: { expected: { status: expected } }, status, tookMs }) as Attempt;

test('every attempt counts, and what was not answered rightly is told', () => {
  const answers = new Answers();
  for (let ms = 1; ms <= 100; ms++) answers.add(attempt(200, ms));
  answers.add(attempt(401, 3, 401));
  answers.add(attempt(503, 2_000));
  answers.add(attempt(0, 5, 413));
  answers.add(attempt(429, 60, 413));
  answers.add(attempt(0, 30_000));
  const { byStatus, p50Ms, p99Ms, maxMs, refused } = answers.figures();
  expect(byStatus).toEqual({ 0: 2, 200: 100, 401: 1, 429: 1, 503: 1 });
  expect([p50Ms, p99Ms, maxMs]).toEqual([51, 100, 2_000]);
  expect(refused.map((text) => text.replace(/ at .* s after/, ''))).toEqual([
    '503 instead of 200 2000 ms',
    '429 instead of 413 60 ms',
    'no answer instead of 200 30000 ms',
  ]);
});

test('many refusals are counted, not listed', () => {
  const answers = new Answers();
  for (let i = 0; i < 30; i++) answers.add(attempt(429, 1));
  expect(answers.figures().refused).toHaveLength(21);
  expect(answers.figures().refused.at(-1)).toBe('and 10 more');
});

test('what was refused before anything was harmed is told apart', () => {
  const [calm, harmed] = [new Answers(60_000), new Answers()];
  for (const answers of [calm, harmed]) answers.add(attempt(503, 1));
  expect(calm.figures().refusedInCalm).toEqual(calm.figures().refused);
  expect(harmed.figures().refusedInCalm).toEqual([]);
});
