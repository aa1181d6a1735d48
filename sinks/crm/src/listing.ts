import { createHash } from 'node:crypto';
import type { SuppressedContact, SuppressedPage } from './crm.ts';
import { CrmError } from './errors.ts';

/** A page as the CRM has it. */
export interface ListedItems<Item> {
  readonly items: readonly Item[];
  /** Cursor of the next page; undefined: there is none. */
  readonly next: string | undefined;
}

/** Of the smallest pages, as many as ten million contacts have. */
const MOST_PAGES = 100_000;

/**
 * A CRM's listing, page by page, from a cursor on. It ends although the CRM may not: a page that was there before, or more pages than any
 * account has, mean that it begins again and again. Throws CrmError. Items must tell contacts apart, or two pages would look the same.
 */
export async function* pagesOf<Item>(
  read: (cursor: string | undefined) => Promise<ListedItems<Item>>,
  contactOf: (item: Item) => SuppressedContact | undefined,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const seen = new Set<string>();
  for (let cursor = after; ; ) {
    const { items, next } = await read(cursor);
    const digest = createHash('sha256').update(JSON.stringify(items)).digest('base64url');
    if (items.length > 0 && seen.has(digest)) throw endless('a page of the listing comes again');
    if (next !== undefined && (next === cursor || seen.size >= MOST_PAGES))
      throw endless('the listing has no end');
    seen.add(digest);
    yield { contacts: items.flatMap((item) => contactOf(item) ?? []), next };
    if (next === undefined) return;
    cursor = next;
  }
}

/** Pages by how many contacts are before them: one that is not full is the last. */
export function pagesByOffset<Item>(
  size: number,
  read: (offset: number) => Promise<readonly Item[]>,
  contactOf: (item: Item) => SuppressedContact | undefined,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const page = async (cursor: string | undefined) => {
    const offset = Number(cursor ?? 0);
    const items = await read(offset);
    return { items, next: items.length < size ? undefined : String(offset + size) };
  };
  return pagesOf(page, contactOf, after);
}

/**
 * All that a CRM has of one recipient, by how many are before them, until a page has enough. One that has no end fails that recipient alone:
 * a part that is taken for all would leave the rest as it is. Throws CrmError.
 */
export async function allByOffset<Item>(
  { size, mostPages }: { readonly size: number; readonly mostPages: number },
  read: (offset: number) => Promise<readonly Item[]>,
  enough: (items: readonly Item[]) => boolean = () => false,
): Promise<Item[]> {
  const all: Item[] = [];
  let before = '';
  for (let page = 0; page < mostPages; page++) {
    const items = await read(page * size);
    const text = JSON.stringify(items);
    if (items.length > 0 && text === before) break;
    all.push(...items);
    if (items.length < size || enough(items)) return all;
    before = text;
  }
  throw unbounded();
}

export const unbounded = () =>
  new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'what the CRM finds for a recipient has no end');

const endless = (message: string) => new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', message);
