import { expect, test } from 'vitest';
import { CORE_CODES } from './codes.ts';
import { codeOf, PipelineError } from './errors.ts';

test('an error of the pipeline says what to do and why', () => {
  const cause = new Error('below');
  const error = new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no broker', { cause });
  expect(error).toMatchObject({
    name: 'PipelineError',
    code: 'KAFKA_UNREACHABLE',
    disposition: 'retry',
    cause,
  });
});

test('the code of any error can be told', () => {
  expect(codeOf(new PipelineError('KAFKA_FENCED', 'fatal', ''))).toBe('KAFKA_FENCED');
  expect(codeOf(Object.assign(new Error(), { code: 'ECONNRESET', type: 'x' }))).toBe('ECONNRESET');
  expect(codeOf(Object.assign(new Error(), { code: 47, type: 'INVALID_PRODUCER_EPOCH' }))).toBe(
    'INVALID_PRODUCER_EPOCH',
  );
  expect(codeOf(new RangeError())).toBe('RangeError');
  for (const nothing of [undefined, null, 'text', 7, {}, { code: '' }])
    expect(codeOf(nothing)).toBe('UNKNOWN');
});

test('every code begins with its stage and is explained in a sentence', () => {
  for (const [code, meaning] of Object.entries(CORE_CODES)) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)+$/);
    expect(meaning).toMatch(/^[A-Z“"].*\.$/s);
  }
});

test('a code that no table declares does not compile', () => {
  // @ts-expect-error: no table has it.
  expect(new PipelineError('KAFKA_UNHEARD_OF', 'fatal', '')).toBeInstanceOf(PipelineError);
});
