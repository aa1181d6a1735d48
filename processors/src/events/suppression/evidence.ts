import { hash } from 'node:crypto';
import type { EmailEvent, Evidence } from '@email-events/schemas';

/** Of what an ESP says, characters; all of it is in the typed event. */
const MAX_DETAIL = 500;
/** Of a stream's name, bytes. */
const MAX_SCOPE = 200;
/** Of the names of sources, accounts and ESPs, bytes; configuration allows 63. */
const MAX_NAME = 64;
const DIGEST_CHARACTERS = 32;

/** Scope of the streams of an account: what its sources may suppress that may not suppress all. */
export const ACCOUNT_PREFIX = 'account:';
/** Stands in a state for streams that are not kept apart any more. */
export const COLLAPSED = '*';

/** Less than 0 if `a` comes first; 0 only for the same evidence. */
export type Order = (a: Evidence, b: Evidence) => number;

const compare = (a: number | string, b: number | string) => (a < b ? -1 : a > b ? 1 : 0);
/** Evidence from before receipts were kept counts as received before all other. */
const receiptOf = ({ received_at }: Evidence) => received_at ?? -Infinity;
const byIdentity: Order = (a, b) => compare(a.event_id, b.event_id) || compare(a.source, b.source);

export const byTime: Order = (a, b) =>
  compare(a.at, b.at) || byIdentity(a, b) || compare(receiptOf(a), receiptOf(b));
const byReceipt: Order = (a, b) => compare(receiptOf(a), receiptOf(b)) || byTime(a, b);
const reversed =
  (order: Order): Order =>
  (a, b) =>
    order(b, a);

/**
 * Which of several bounces or complaints of a source are kept. The latest tells whether there is one after an operator's lift;
 * those received first and last, whether there is one outside a time that is taken back.
 */
export const FOR_GOOD: readonly Order[] = [byTime, reversed(byTime), byReceipt, reversed(byReceipt)];
/** Which of several unsubscribes, or subscribes, of a source are kept: what counts is the latest. */
export const UNTIL_LATER: readonly Order[] = [reversed(byTime), byReceipt, reversed(byReceipt)];

/**
 * The evidence of a kind, with one more piece: of each source the first in each of the orders is kept. The result depends on the set of
 * evidence only, not on the order in which it comes. The same array if nothing changes. Sorted by time.
 */
export function select(kept: Evidence[], found: Evidence, orders: readonly Order[]): Evidence[] {
  const own = kept.filter(({ source }) => source === found.source);
  if (own.some((known) => byTime(known, found) === 0)) return kept;
  own.push(found);
  const best = new Set(orders.map((order) => firstOf(own, order)));
  if (!best.has(found)) return kept;
  const others = kept.filter(({ source }) => source !== found.source);
  return [...others, ...own.filter((evidence) => best.has(evidence))].sort(byTime);
}

/** Undefined if there is none. */
export function firstOf(evidence: readonly Evidence[], order: Order): Evidence | undefined {
  let first: Evidence | undefined;
  for (const each of evidence) if (first === undefined || order(each, first) < 0) first = each;
  return first;
}

export const latestOf = (evidence: readonly Evidence[]) => firstOf(evidence, reversed(byTime));

export function evidenceOf(event: EmailEvent, detail: string | null): Evidence {
  const { occurred_at, received_at, esp, source, event_id } = event;
  return bounded({ at: occurred_at, esp, source, event_id, detail, received_at });
}

/** The evidence with texts of a sane length. */
export function bounded({ at, esp, source, event_id, detail, received_at }: Evidence): Evidence {
  return {
    at,
    esp: nameOf(esp),
    source: nameOf(source),
    event_id: nameOf(event_id),
    detail: detail && shortened(detail, MAX_DETAIL),
    received_at,
  };
}

/** A character that is cut in two becomes a replacement character, since half of one is no text. */
export const shortened = (text: string, max: number) =>
  text.length > max ? `${text.slice(0, max).toWellFormed()}…` : text.toWellFormed();

/** Name of a source, an account or an ESP. */
export const nameOf = (text: string) => cut(text, MAX_NAME);

/** Scope as it is kept: equal ones stay equal, and a name from an ESP cannot be mistaken for one that this package made. */
export function scopeOf(said: string): string {
  const scope = said.startsWith(ACCOUNT_PREFIX) || said === COLLAPSED ? `stream:${said}` : said;
  return cut(scope, MAX_SCOPE);
}

/** Scope that an operator names: kept as it is, so that it may be one that this package made. */
export const boundedScope = (scope: string) => cut(scope, MAX_SCOPE);

/** Beyond that many bytes a text is its beginning and a digest of it. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text.toWellFormed();
  const bytes = Buffer.from(text);
  // A character that is cut in two takes three bytes.
  const beginning = bytes.subarray(0, maxBytes - DIGEST_CHARACTERS - 4).toString();
  return `${beginning}~${hash('sha256', bytes, 'hex').slice(0, DIGEST_CHARACTERS)}`;
}
