import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { playLink, webhooksText } from './banner.ts';

const ingress = 'http://127.0.0.1:8080';
const webhooks = (...names: string[]) =>
  stripVTControlCharacters(
    webhooksText({
      ingress,
      webhooks: Object.fromEntries(names.map((name) => [name, `${ingress}/webhooks/email-events/${name}`])),
    } as never),
  );

test('many webhooks are one line, which says where they all are', () => {
  expect(webhooks('shop')).toBe('http://127.0.0.1:8080/webhooks/email-events/shop');
  expect(webhooks('shop', 'blog', 'news')).toBe(
    'http://127.0.0.1:8080/webhooks/email-events/<source>  3 sources: npx email-events status --urls',
  );
  expect(webhooks()).toBe('no source is configured');
});

test('the link knows the database and has a query in it', () => {
  const { origin, pathname, searchParams, hash } = new URL(
    playLink({ url: 'http://127.0.0.1:8124' }, 'email & more'),
  );
  expect([origin, pathname]).toEqual(['http://127.0.0.1:8124', '/play']);
  expect(Object.fromEntries(searchParams)).toEqual({ user: 'analyst', database: 'email & more' });
  expect(Buffer.from(hash.slice(1), 'base64').toString()).toMatch(/^SELECT \* FROM campaign_performance /);
});
