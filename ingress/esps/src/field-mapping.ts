import type { EspAdapter, EspEvent } from './adapter.ts';
import {
  type FieldMapping,
  type FieldOrigins,
  type FieldPath,
  type FieldSettings,
  fieldPath,
  MAPPED_FIELDS,
  type MappedField,
  type PathProblem,
  spellingProblems,
  writtenPaths,
} from './field-paths.ts';

/** Characters (UTF-16) of a campaign, variant, stream or user; what is longer is cut. Senders write them, and reports group by them. */
export const MAX_FIELD_LENGTH = 256;

/** Values by lower-case name; of several the first. */
export type MessageHeaders = ReadonlyMap<string, string>;
export const NO_HEADERS: MessageHeaders = new Map();

/** The texts of an empty value, in metadata that can hold other values than text. */
const EMPTY: ReadonlySet<string> = new Set(['', 'null', '[]', '{}']);

/** The event with its fields from where the source says. Neither type, recipient, scope nor identity depends on them. */
export function mapFields(
  event: EspEvent,
  mapping: FieldMapping,
  headers: MessageHeaders,
  noted?: (event: EspEvent, origins: FieldOrigins) => void,
): EspEvent {
  if (!noted && standsAsItIs(event, mapping)) return event;
  const found: { [field in MappedField]?: string } = {};
  const origins: { [field in MappedField]?: string } = {};
  for (const field of MAPPED_FIELDS) {
    for (const path of mapping.paths[field]) {
      const value = valueAt(path, field, event, headers);
      if (value === null) continue;
      origins[field] = path.text;
      if (isNews(event, field, value, path)) found[field] = value;
      break;
    }
  }
  const mapped = Object.keys(found).length === 0 ? event : withFields(event, found);
  noted?.(mapped, origins);
  return mapped;
}

function withFields(event: EspEvent, { user, ...fields }: { [field in MappedField]?: string }): EspEvent {
  if (user === undefined) return { ...event, ...fields };
  return { ...event, ...fields, metadata: { ...event.metadata, user } };
}

/** Of metadata.user where it belongs already nothing is cut: metadata stays as it was sent. */
function isNews(event: EspEvent, field: MappedField, value: string, path: FieldPath): boolean {
  if (field !== 'user') return event[field] !== value;
  return path.text !== 'metadata.user' && event.metadata?.user !== value;
}

/** Only the ESP says anything, and that is not too long. */
function standsAsItIs(
  { metadata, campaign, variant, stream }: EspEvent,
  { onlyKeys }: FieldMapping,
): boolean {
  if (onlyKeys === undefined) return false;
  if (metadata !== undefined) for (const key of onlyKeys) if (metadata[key] !== undefined) return false;
  return !(isLong(campaign) || isLong(variant) || isLong(stream));
}

const isLong = (text: string | null | undefined) =>
  text !== null && text !== undefined && text.length > MAX_FIELD_LENGTH;

/** The first header of each name that has a value. Cut here: a message may have many recipients, and each is given them. */
export function headerMap(pairs: Iterable<readonly [name: string, value: string]>): MessageHeaders {
  const headers = new Map<string, string>();
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    const usable = headers.has(key) ? null : usableText(value);
    if (usable !== null) headers.set(key, usable);
  }
  return headers;
}

function valueAt(
  path: FieldPath,
  field: MappedField,
  event: EspEvent,
  headers: MessageHeaders,
): string | null {
  switch (path.from) {
    case 'esp': {
      const own = event[field] ?? null;
      return own === null ? null : cut(own);
    }
    case 'metadata': {
      const { metadata } = event;
      if (metadata === undefined || !Object.hasOwn(metadata, path.name)) return null;
      return usableText(metadata[path.name] ?? '');
    }
    case 'tag':
      return tagValue(event.tags ?? [], path.name);
    case 'headers':
      return headers.get(path.name) ?? null;
  }
}

/** `spring` of the tag `campaign:spring`. */
function tagValue(tags: readonly string[], name: string): string | null {
  for (const tag of tags) {
    if (tag.charAt(name.length) !== ':' || !tag.startsWith(name)) continue;
    const value = usableText(tag.slice(name.length + 1));
    if (value !== null) return value;
  }
  return null;
}

function usableText(value: string): string | null {
  const text = value.trim();
  return EMPTY.has(text) ? null : cut(text);
}

/** Half a character (of a surrogate pair) is none. */
function cut(text: string): string {
  if (text.length <= MAX_FIELD_LENGTH) return text;
  const isHigh = (text.charCodeAt(MAX_FIELD_LENGTH - 1) & 0xfc00) === 0xd800;
  return text.slice(0, isHigh ? MAX_FIELD_LENGTH - 1 : MAX_FIELD_LENGTH);
}

const WHAT = { metadata: 'metadata', tag: 'tags', headers: 'headers of the message' } as const;

/** Paths that are none, and paths that never have a value because this ESP reports nothing of the kind. */
export function fieldProblems(adapter: EspAdapter, settings: FieldSettings): PathProblem[] {
  const problems = spellingProblems(settings);
  for (const { field, index, text } of writtenPaths(settings)) {
    const path = typeof text === 'string' ? fieldPath(text) : undefined;
    const missing = path && missingOf(adapter, path);
    if (missing !== undefined)
      problems.push({ field, index, message: `${adapter.title} reports no ${missing}` });
  }
  return problems;
}

/** `esp` is always possible: it says in which order things are looked for. */
function missingOf({ facts }: EspAdapter, { from }: FieldPath): string | undefined {
  if (from === 'esp') return undefined;
  const filled = from === 'tag' ? 'tags' : from;
  return facts.fills[filled] === undefined ? WHAT[from] : undefined;
}
