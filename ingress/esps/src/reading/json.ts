import { isUtf8 } from 'node:buffer';
import { type EspRequest, type Item, Refusal } from '../adapter.ts';
import { decodeForeign } from './foreign-bytes.ts';

export type JsonObject = { readonly [key: string]: unknown };

/** The body as text, a byte order mark dropped. Bytes that are no UTF-8 are kept apart, for the item that has them. */
export function decodeText(body: Buffer): string {
  const text = isUtf8(body) ? body.toString('utf8') : decodeForeign(body);
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** The body as JSON; integers beyond 2^53 become bigint. Throws Refusal if it is none. */
export function parseBody(body: Buffer): unknown {
  const text = decodeText(body);
  try {
    return parseJson(text);
  } catch (cause) {
    throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is not valid JSON', { cause });
  }
}

// An integer of 16 or more digits after a structural character. Inside a string it only costs the slow path.
const MAYBE_LONG_INTEGER = /[:[,\s]-?\d{16}/;
const INTEGER = /^-?\d+$/;

/** JSON.parse that keeps long integers as bigint. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  // The reviver makes parsing several times slower, so it runs only where there may be something to save.
  if (!MAYBE_LONG_INTEGER.test(text)) return JSON.parse(text);
  return parseWithSource(text, (_key, value, { source }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
      ? BigInt(source)
      : value,
  );
}

/**
 * JSON text of a parsed value: long integers come out with all their digits. Throws Refusal for what is nested so deeply that it can be
 * parsed, but not written: a sender can have that as often as it likes, so it is not a fault of this code.
 */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value, writable) ?? 'null';
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new Refusal('NORMALIZE_ITEM_INVALID', 'it is nested too deeply to be written', { cause });
  }
}

const writable = (_key: string, value: unknown) =>
  typeof value === 'bigint' ? rawJson(String(value)) : value;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An empty object for what is absent or something else, so that readers need no checks. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : NOTHING;
}
const NOTHING: JsonObject = Object.freeze({});

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** An item whose text is made only when it is asked for. */
export class JsonItem implements Item {
  readonly index: number;
  readonly value: unknown;
  readonly suspect: boolean;
  private made: string | undefined;
  constructor(index: number, value: unknown, suspect = false) {
    this.index = index;
    this.value = value;
    this.suspect = suspect;
  }
  get text(): string {
    this.made ??= stringifyJson(this.value);
    return this.made;
  }
}

/** The items of a body that is one JSON object. Throws Refusal if it is none. */
export function oneObject({ body }: EspRequest): readonly Item[] {
  const parsed = parseBody(body);
  if (!isObject(parsed)) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is not an object');
  return [new JsonItem(0, parsed)];
}

// The language library of ES2024 does not declare these two yet; Node has both.
type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => unknown;
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };
