import { expect, test } from 'vitest';
import { z } from 'zod';
import { path, readAs, shaped } from './json-api.ts';

test('a value is one part of a path or of a query, whatever is in it', () => {
  const at = path`/a/${'b/../c?d=e#f%2f'}?q=${'g&h=i j'}&n=${7}`;
  expect(at).toBe('/a/b%2F..%2Fc%3Fd%3De%23f%252f?q=g%26h%3Di%20j&n=7');
  const url = new URL(`https://crm.example${at}`);
  expect(decodeURIComponent(url.pathname)).toBe('/a/b/../c?d=e#f%2f');
  expect(url.searchParams.get('q')).toBe('g&h=i j');
});

test.each(['<html>', '', 'null', '{"id":"1"}', '[1]'])(
  '%j is not what was asked for, and is not quoted',
  (body) => {
    const shape = z.object({ id: z.int() });
    expect(readAs(shape, body)).toBeUndefined();
    expect(() => shaped(shape, { status: 200, headers: {}, body })).toThrow(
      'the answer has another form than documented',
    );
  },
);
