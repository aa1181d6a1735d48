import { expect, test } from 'vitest';
import type { SuppressedPage } from './crm.ts';
import { pagesByOffset, pagesOf } from './listing.ts';

const contactOf = ({ email }: { email: string }) => ({ recipient: email });
const all = async (pages: AsyncIterable<SuppressedPage>) => {
  const found: SuppressedPage[] = [];
  for await (const page of pages) found.push(page);
  return found;
};
const people = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ email: `person-${from + n}@example.com` }));

test('pages by offset, from any of them on', async () => {
  const read = async (offset: number) => people(offset, Math.min(10, 25 - offset));
  const pages = await all(pagesByOffset(10, read, contactOf, undefined));
  expect(pages.map(({ contacts, next }) => [contacts.length, next])).toEqual([
    ...[
      [10, '10'],
      [10, '20'],
      [5, undefined],
    ],
  ]);
  expect(await all(pagesByOffset(10, read, contactOf, '10'))).toEqual(pages.slice(1));
});

test('a server that does not mind the offset sends the same page for ever, and is told', async () => {
  let calls = 0;
  const read = async () => people(0, ++calls > 100 ? 0 : 10);
  await expect(all(pagesByOffset(10, read, contactOf, undefined))).rejects.toMatchObject({
    ...{ code: 'SINK_CRM_UNAVAILABLE', message: 'a page of the listing comes again' },
  });
  expect(calls).toBe(2);
});

test('one that begins again after some pages is told, by cursor too', async () => {
  const read = async (cursor = '0') => ({
    items: people(Number(cursor) % 3, 1),
    next: String(Number(cursor) + 1),
  });
  await expect(all(pagesOf(read, contactOf, undefined))).rejects.toThrow('a page of the listing comes again');
});

test('a cursor that leads to itself is told', async () => {
  let calls = 0;
  const read = async () => ({ items: people(calls++, 1), next: 'here' });
  await expect(all(pagesOf(read, contactOf, undefined))).rejects.toThrow('the listing has no end');
  expect(calls).toBe(2);
});

test('one whose pages are ever new is ended all the same', async () => {
  let calls = 0;
  const read = async () => ({ items: people(calls, 1), next: String(calls++) });
  await expect(all(pagesOf(read, contactOf, undefined))).rejects.toThrow('the listing has no end');
  expect(calls).toBeLessThanOrEqual(100_001);
});
