import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { ROOT, typescriptFiles } from './workspaces.ts';

/** Imports by relative path, of values and of types: those by name cross packages, whose order is in the manifests. */
const RELATIVE = /(?:\bfrom |\bimport |\bimport\()\s*'(\.\.?\/[^']+\.ts)'/g;

/** The imports of each file of a package, as paths from the repository's root. Tests are left out: they look at their part from outside. */
export function importsIn(folder: string): Map<string, readonly string[]> {
  const files = typescriptFiles(folder).filter((file) => !/\.(test|fixture)\.ts$/.test(file));
  return new Map(
    files.map((file) => {
      const found = [...readFileSync(join(ROOT, file), 'utf8').matchAll(RELATIVE)];
      return [file, found.map(([, path = '']) => normalize(join(dirname(file), path)))] as const;
    }),
  );
}

/**
 * Circles between neighbours: in each folder, between its files and the folders in it, each with all that is below it.
 * One line a circle, as `folder: a -> b -> a`.
 */
export function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  return [...neighboursOf(imports)].flatMap(([folder, edges]) =>
    circlesOf(edges).map((circle) => `${folder}: ${[...circle, circle[0]].join(' -> ')}`),
  );
}

type Edges = Map<string, Set<string>>;

/** By folder, who of those directly in it imports whom. */
function neighboursOf(imports: ReadonlyMap<string, readonly string[]>): Map<string, Edges> {
  const byFolder = new Map<string, Edges>();
  for (const [file, targets] of imports) {
    for (const target of targets) {
      const [from, to] = [file.split('/'), target.split('/')];
      const depth = from.findIndex((part, i) => part !== to[i]);
      if (depth < 0) continue;
      const folder = from.slice(0, depth).join('/');
      const edges = byFolder.get(folder) ?? new Map<string, Set<string>>();
      byFolder.set(folder, edges);
      const [importer = '', imported = ''] = [from[depth], to[depth]];
      edges.set(importer, (edges.get(importer) ?? new Set()).add(imported));
    }
  }
  return byFolder;
}

/** A shortest circle through each node that is on one, each circle once. */
function circlesOf(edges: Edges): string[][] {
  const circles = new Map<string, string[]>();
  for (const start of edges.keys()) {
    const circle = shortestCircle(edges, start);
    const key = circle?.toSorted().join();
    if (circle && key && !circles.has(key)) circles.set(key, circle);
  }
  return [...circles.values()];
}

function shortestCircle(edges: Edges, start: string): string[] | undefined {
  const paths = [[start]];
  const seen = new Set<string>();
  for (const path of paths) {
    for (const next of edges.get(path.at(-1) ?? '') ?? []) {
      if (next === start) return path;
      if (!seen.has(next)) paths.push([...path, next]);
      seen.add(next);
    }
  }
  return undefined;
}
