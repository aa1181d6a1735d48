import type { z } from 'zod';
import type { ConfigProblem } from './problems.ts';

export interface TolerantResult {
  /** Fits the schema: wrong values were left out, so that the rest can be judged. */
  readonly config: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Paths that were left out: nothing that depends on them can be judged. */
  readonly leftOut: readonly string[];
}

type Tree = { [key: string]: unknown };
type Issue = z.core.$ZodIssue;

/** Leaving out one value may make the section that needs it wrong, so that is left out in the next round. Sections do not nest deeper. */
const MAX_ROUNDS = 10;

/** Never throws. One wrong key hides nothing that is wrong elsewhere. */
export function parseTolerantly(data: unknown, parser: z.ZodType): TolerantResult {
  const isTree = typeof data === 'object' && data !== null && !Array.isArray(data);
  const tree: Tree = isTree ? (structuredClone(data) as Tree) : {};
  const first = parser.safeParse(data);
  if (first.success) return { config: first.data, problems: [], leftOut: [] };
  const problems = first.error.issues.flatMap(problemsOf);
  const leftOut = isTree ? [] : [''];
  let { issues } = first.error;
  for (let round = 0; isTree && round < MAX_ROUNDS; round++) {
    for (const issue of issues) leftOut.push(...leaveOut(tree, issue));
    const again = parser.safeParse(tree);
    if (again.success) return { config: again.data, problems, leftOut };
    issues = again.error.issues;
  }
  return { config: parser.parse({}), problems, leftOut: [''] };
}

function problemsOf(issue: Issue): ConfigProblem[] {
  const path = issue.path.join('.');
  if (issue.code === 'invalid_key')
    return issue.issues.map(({ message }) => ({ path, message: `as a name: ${message}` }));
  if (issue.code !== 'unrecognized_keys') return [{ path: path || '(root)', message: issue.message }];
  return issue.keys.map((key) => ({ path: path ? `${path}.${key}` : key, message: 'unknown key' }));
}

function leaveOut(tree: Tree, issue: Issue): string[] {
  const path = issue.path.map(String);
  const targets = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
  return targets.map((target) => {
    const removed = removablePart(tree, target);
    const parent = removed.slice(0, -1).reduce<Tree>((at, key) => at[key] as Tree, tree);
    delete parent[removed.at(-1) ?? ''];
    return removed.join('.');
  });
}

/** The path down to the first list, which goes as a whole, or to the section that lacks what is missing. */
function removablePart(tree: Tree, path: readonly string[]): string[] {
  const part: string[] = [];
  let at: unknown = tree;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, key)) break;
    part.push(key);
    at = (at as Tree)[key];
  }
  return part;
}
