import { expect, test } from 'vitest';
import { playLink } from './play-link.ts';

test('the link knows the database and has a query in it', () => {
  const { origin, pathname, searchParams, hash } = new URL(
    playLink({ url: 'http://127.0.0.1:8124' }, 'email & more'),
  );
  expect([origin, pathname]).toEqual(['http://127.0.0.1:8124', '/play']);
  expect(Object.fromEntries(searchParams)).toEqual({ user: 'analyst', database: 'email & more' });
  expect(Buffer.from(hash.slice(1), 'base64').toString()).toMatch(/^SELECT \* FROM campaign_performance /);
});
