import { Refusal } from '../adapter.ts';
import { isObject, type JsonObject, listOf, objectOf, parseJson, stringifyJson } from './json.ts';

const INT32_MAX = 2 ** 31 - 1;

/** Text of a scalar; null for what is absent, empty, a list or an object. */
export function text(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  return null;
}

/** First of them that has text. */
export function firstText(...values: readonly unknown[]): string | null {
  for (const value of values) {
    const found = text(value);
    if (found !== null) return found;
  }
  return null;
}

/** Whole number that fits an Avro int, out of a number or its text; else null. */
export function integer(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && Math.abs(number) <= INT32_MAX
    ? number
    : null;
}

export function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

/** Tags out of one text or a list. */
export function tagsOf(value: unknown): string[] {
  if (!Array.isArray(value)) {
    const one = text(value);
    return one === null ? [] : [one];
  }
  const tags: string[] = [];
  for (const entry of value) {
    const tag = text(entry);
    if (tag !== null) tags.push(tag);
  }
  return tags;
}

/** Key-value data out of an object: text as it is, anything else as JSON. */
export function metadataOf(value: unknown): { [key: string]: string } {
  const metadata: { [key: string]: string } = {};
  if (isObject(value)) for (const key of Object.keys(value)) metadata[key] = metadataValue(value[key]);
  return metadata;
}

export function metadataValue(value: unknown): string {
  return typeof value === 'string' ? value : stringifyJson(value);
}

/** Tags out of a list, one text, or a text that is a list in JSON. */
export function tagsOfText(value: unknown): string[] {
  const parsed = jsonInText(value);
  return tagsOf(Array.isArray(parsed) ? parsed : value);
}

/** Key-value data out of an object, or of text that is one in JSON; other text stands under this name. */
export function metadataOfText(value: unknown, name: string): { [key: string]: string } {
  const parsed = jsonInText(value) ?? value;
  // An empty list is PHP's empty object.
  if (isObject(parsed) || Array.isArray(parsed)) return metadataOf(parsed);
  const one = text(value);
  return one === null ? {} : { [name]: one };
}

/** The list or object that a text is in JSON; null for any other. */
function jsonInText(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return null;
  try {
    return parseJson(value);
  } catch {
    return null;
  }
}

// "ada@example.com (Ada)", the older way to write a name.
const COMMENT = /\s\([^()]*\)\s*$/;

/** Address without display name and angle brackets, trimmed, case as given. Empty if there is none. */
export function bareAddress(value: unknown): string {
  if (typeof value !== 'string') return '';
  if (!value.includes('<')) return value.replace(COMMENT, '').trim();
  let [open, close] = [-1, -1];
  for (const at of outsideQuotes(value)) {
    if (value[at] === '<') [open, close] = [at, -1];
    else if (value[at] === '>' && close === -1) close = at;
  }
  // There is one in a local part only, such as "a<b"@example.com.
  if (open === -1) return value.trim();
  return value.slice(open + 1, close === -1 ? undefined : close).trim();
}

/** Positions outside of quoted strings (RFC 5322). A quote that is never closed is no quote. One pass. */
function* outsideQuotes(text: string): Generator<number> {
  let unclosed = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"' && !unclosed) {
      const end = endOfQuotes(text, at);
      unclosed = end === -1;
      if (!unclosed) at = end;
    } else yield at;
  }
}

function endOfQuotes(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

/** Addresses of a header such as To, or of a list of such. */
export function addressList(value: unknown): string[] {
  const entries = Array.isArray(value) ? value : typeof value === 'string' ? splitAddresses(value) : [];
  return entries.map(bareAddress).filter((address) => address !== '');
}

// Commas inside quotes, comments and angle brackets do not separate. One pass: headers come from anybody.
const CLOSING: ReadonlyMap<string, string> = new Map([
  ['<', '>'],
  ['(', ')'],
]);

function splitAddresses(header: string): string[] {
  const entries: string[] = [];
  let start = 0;
  let closing: string | undefined;
  let quoted = false;
  for (let i = 0; i < header.length; i++) {
    const character = header.charAt(i);
    if (character === '\\') i++;
    else if (character === '"' && closing !== ')') quoted = !quoted;
    else if (quoted) continue;
    else if (closing !== undefined) closing = character === closing ? undefined : closing;
    else if (character === ',') {
      entries.push(header.slice(start, i));
      start = i + 1;
    } else closing = CLOSING.get(character);
  }
  entries.push(header.slice(start));
  return entries;
}

/** The recipient of an event. Throws Refusal if there is none. */
export function recipientOf(value: unknown): string {
  const address = bareAddress(value);
  if (address === '') throw new Refusal('NORMALIZE_RECIPIENT_MISSING', 'the event names no recipient');
  return address;
}

/** Message-ID without angle brackets. */
export function messageId(value: unknown): string | null {
  const id = text(value);
  return id === null ? null : text(id.trim().replace(/^<|>$/g, ''));
}

/** The item as an object. Throws Refusal if it is none. */
export function itemObject(value: unknown): JsonObject {
  if (!isObject(value)) throw new Refusal('NORMALIZE_ITEM_INVALID', 'the item is not an object');
  return value;
}

/** A field that every event of the ESP has. Throws Refusal if it is missing. */
export function required(value: unknown, name: string): string {
  const found = text(value);
  if (found === null) throw new Refusal('NORMALIZE_ITEM_INVALID', `${name} is missing`);
  return found;
}

/**
 * Headers of a message as ESPs write them: a list of `{name, value}` or of pairs, or an object of texts or lists. What is none of
 * these is no header. One by one: there may be many.
 */
export function* headerPairs(value: unknown): Generator<readonly [name: string, value: string]> {
  if (isObject(value)) {
    for (const name of Object.keys(value)) yield* valuesOf(name, value[name]);
    return;
  }
  for (const entry of listOf(value)) {
    const [name, of] = Array.isArray(entry) ? entry : [objectOf(entry).name, objectOf(entry).value];
    if (typeof name === 'string') yield* valuesOf(name, of);
  }
}

function* valuesOf(name: string, value: unknown): Generator<readonly [string, string]> {
  for (const one of Array.isArray(value) ? value : [value]) {
    const found = text(one);
    if (found !== null) yield [name, found];
  }
}

/**
 * Whether an address holds a control character: C0 (NUL, line ends, ESC), DEL or C1. No mailbox has one (RFC 5321 4.1.2
 * allows none, quoted or not), and a program that prints, logs or compares the address might obey it. Space around the address
 * does not count: its key goes without.
 */
export function hasControlCharacter(address: string): boolean {
  const trimmed = address.trim();
  for (let at = 0; at < trimmed.length; at++) {
    const code = trimmed.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}

/**
 * One of them for each, made only when it is taken: an item of a few kilobytes may name so many recipients that what they
 * share, once for each, fits no memory.
 */
export function* each<From, To>(
  all: Iterable<From>,
  make: (one: From) => To,
): Generator<To, void, undefined> {
  for (const one of all) yield make(one);
}

/** The same for each of the one with each of the other. */
export function* pairs<One, Other, To>(
  all: Iterable<One>,
  others: readonly Other[],
  make: (one: One, other: Other) => To,
): Generator<To, void, undefined> {
  for (const one of all) for (const other of others) yield make(one, other);
}
