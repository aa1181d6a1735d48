import type { ConfigTree } from '@email-events/dev/run/local-config';

/** As `config check --json` tells it. */
export interface ConfigProblem {
  /** Keys, joined by dots. */
  readonly path: string;
  readonly message: string;
}

const UNKNOWN_KEY = /^unknown key$/;
const SOURCE_ESP = /^(sources\.[^.]+)\.esp$/;
const UNKNOWN_ESP = /^no ESP is called /;

/**
 * A copy of a configuration without what a release does not know of it, and the paths that were left out: keys, and whole
 * sources whose ESP it does not know. Other problems are left as they are. Pure.
 */
export function withoutUnknown(
  tree: ConfigTree,
  problems: readonly ConfigProblem[],
): { readonly tree: ConfigTree; readonly leftOut: readonly string[] } {
  const copy = structuredClone(tree);
  const paths = problems.flatMap(({ path, message }) => {
    if (UNKNOWN_KEY.test(message)) return [path];
    const source = UNKNOWN_ESP.test(message) ? SOURCE_ESP.exec(path)?.[1] : undefined;
    return source === undefined ? [] : [source];
  });
  return { tree: copy, leftOut: [...new Set(paths)].filter((path) => remove(copy, path.split('.'))) };
}

/** The ESPs of the sources that were left out. */
export function espsWithout(
  sources: { readonly [name: string]: { readonly esp: string } },
  leftOut: readonly string[],
): string[] {
  return Object.entries(sources).flatMap(([name, { esp }]) =>
    leftOut.includes(`sources.${name}`) ? [esp] : [],
  );
}

/** Whether it was there. */
function remove(tree: ConfigTree, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined || !(key in tree)) return false;
  if (rest.length === 0) return delete tree[key];
  const below = tree[key];
  return typeof below === 'object' && below !== null && remove(below as ConfigTree, rest);
}
