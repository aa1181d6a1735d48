import type { ConfigSchema } from './json-schema.ts';
import type { ConfigProblem } from './problems.ts';

type Tree = { [key: string]: unknown };

/**
 * Returns the data without the sections of other services. One service can neither judge nor show those, as it does not know which of
 * their fields are secrets. The keys that are left belong to this service or are misspelt. `unknown` has the misspelt keys of a group
 * such as `sinks` in which this service has no section.
 */
export function withoutOthers<C>(
  data: unknown,
  { others, json }: Pick<ConfigSchema<C>, 'others' | 'json'>,
): { readonly data: unknown; readonly unknown: readonly ConfigProblem[] } {
  if (!isTree(data)) return { data, unknown: [] };
  const left = { ...data };
  const unknown: ConfigProblem[] = [];
  for (const key of new Set(others.map((name) => name.split('.')[0] ?? ''))) {
    const names = others
      .filter((name) => name.startsWith(`${key}.`))
      .map((name) => name.slice(key.length + 1));
    const group = left[key];
    const rest = isTree(group) ? omit(group, names) : group;
    if (json.properties?.[key]) {
      left[key] = rest;
      continue;
    }
    delete left[key];
    if (names.length === 0 || !(key in data)) continue;
    if (!isTree(rest)) unknown.push({ path: key, message: 'must have keys, one for each service' });
    else
      unknown.push(...Object.keys(rest).map((name) => ({ path: `${key}.${name}`, message: 'unknown key' })));
  }
  return { data: left, unknown };
}

const isTree = (data: unknown): data is Tree =>
  typeof data === 'object' && data !== null && !Array.isArray(data);

const omit = (tree: Tree, names: readonly string[]): Tree =>
  Object.fromEntries(Object.entries(tree).filter(([name]) => !names.includes(name)));
