/** Fields that a source may fill from what its sender attaches to a message. An event has no field `user`: it is `metadata.user`. */
export const MAPPED_FIELDS = ['campaign', 'variant', 'stream', 'user'] as const;
export type MappedField = (typeof MAPPED_FIELDS)[number];

/** `fields` of a source, as configured: a path, or several of which the first that has a value counts. */
export type FieldSettings = { readonly [field in MappedField]?: string | readonly string[] | undefined };

/** Where a value is looked for. `text` is the path as it is written. */
export type FieldPath =
  /** The ESP's own value. */
  | { readonly from: 'esp'; readonly text: string }
  /** A key of the metadata, a tag `name:value`, a header of the message. */
  | { readonly from: 'metadata' | 'tag' | 'headers'; readonly name: string; readonly text: string };

export interface FieldMapping {
  readonly paths: { readonly [field in MappedField]: readonly FieldPath[] };
  readonly readsHeaders: boolean;
  /**
   * Keys of the metadata without any of which the ESP's own fields stand; undefined: tags, headers or the ESP's user count too. Spares
   * nearly all events all of the work.
   */
  readonly onlyKeys: readonly string[] | undefined;
}

/** Why a path cannot be used. */
export interface PathProblem {
  readonly field: MappedField;
  /** Which of a list; undefined if it is no list. */
  readonly index: number | undefined;
  readonly message: string;
}

const PATH = /^(metadata|tag|headers)\.(\S(?:.*\S)?)$/s;
const SPELLINGS = 'must be metadata.<key>, tag.<name>, headers.<name> or esp';

/**
 * Tried where the source names no paths. A person's id is asked for, not passed on because an ESP happens to have one, so the ESP's own
 * user is not among them.
 */
const DEFAULT_PATHS: { readonly [field in MappedField]: readonly string[] } = {
  campaign: ['esp', 'metadata.campaign', 'metadata.utm_campaign'],
  variant: ['esp', 'metadata.variant'],
  stream: ['esp', 'metadata.stream'],
  user: ['metadata.user'],
};

/** The path that remains where no path of the source has a value. */
const LAST_PATH: { readonly [field in MappedField]: string } = {
  campaign: 'esp',
  variant: 'esp',
  stream: 'esp',
  user: 'metadata.user',
};

/** Undefined if it is no path. The name is everything after the first dot; that of a header in lower case. */
export function fieldPath(text: string): FieldPath | undefined {
  if (text === 'esp') return { from: 'esp', text };
  const [, from, name] = PATH.exec(text) ?? [];
  if (name === undefined) return undefined;
  if (from === 'headers') return { from, name: name.toLowerCase(), text };
  return from === 'metadata' || from === 'tag' ? { from, name, text } : undefined;
}

/** Yields a source's `fields` as they are written, path by path; for checks. `text` may be of another type than text. */
export function* writtenPaths(
  settings: FieldSettings,
): Generator<{ field: MappedField; index: number | undefined; text: unknown }> {
  for (const field of MAPPED_FIELDS) {
    const written: unknown = settings[field];
    if (Array.isArray(written)) for (const [index, text] of written.entries()) yield { field, index, text };
    else if (written !== undefined) yield { field, index: undefined, text: written };
  }
}

/** Fields that there are not, and paths that are none. */
export function spellingProblems(settings: FieldSettings): PathProblem[] {
  const problems: PathProblem[] = [];
  for (const { field, index, text } of writtenPaths(settings))
    if (typeof text !== 'string' || !fieldPath(text)) problems.push({ field, index, message: SPELLINGS });
  return problems;
}

/** Leaves out what is no path: configuration has been checked. What is configured goes before what the ESP says. */
export function fieldMapping(settings: FieldSettings = {}): FieldMapping {
  const of = (field: MappedField) => pathsOf(field, settings[field]);
  const paths = { campaign: of('campaign'), variant: of('variant'), stream: of('stream'), user: of('user') };
  const all = Object.values(paths).flat();
  const isOwn = ({ from }: FieldPath) => from === 'esp' || from === 'metadata';
  const isSimple = all.every(isOwn) && !paths.user.some(({ from }) => from === 'esp');
  return {
    paths,
    readsHeaders: all.some(({ from }) => from === 'headers'),
    onlyKeys: isSimple
      ? [...new Set(all.flatMap((path) => (path.from === 'metadata' ? path.name : [])))]
      : undefined,
  };
}

function pathsOf(field: MappedField, written: string | readonly string[] | undefined): readonly FieldPath[] {
  const texts = written === undefined ? DEFAULT_PATHS[field] : [written].flat();
  const all = texts.includes(LAST_PATH[field]) ? texts : [...texts, LAST_PATH[field]];
  return all.map(fieldPath).filter((path) => path !== undefined);
}

export const DEFAULT_MAPPING: FieldMapping = fieldMapping();

/** Path by which each field was found, as it is written; absent: it was not found. */
export type FieldOrigins = { readonly [field in MappedField]?: string };
