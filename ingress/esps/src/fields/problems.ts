import type { EspAdapter } from '../adapter.ts';
import {
  type FieldPath,
  type FieldSettings,
  fieldPath,
  type PathProblem,
  spellingProblems,
  writtenPaths,
} from './paths.ts';

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
