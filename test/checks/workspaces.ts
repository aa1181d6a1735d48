import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Workspace {
  readonly name: string;
  /** From the root. */
  readonly folder: string;
  readonly scripts: readonly string[];
  /** Names of dependencies of every kind. */
  readonly declared: readonly string[];
}

/** Every package of the repository, as its manifest says. */
export function workspaces(): Workspace[] {
  const patterns = (readJson('package.json').workspaces as string[]).map(
    (folder) => `${folder}/package.json`,
  );
  return globSync(patterns, { cwd: ROOT }).map((path) => {
    const { name, scripts, dependencies, devDependencies } = readJson(path);
    return {
      name: String(name),
      folder: dirname(path),
      scripts: Object.keys(Object(scripts)),
      declared: Object.keys({ ...Object(dependencies), ...Object(devDependencies) }),
    };
  });
}

/** TypeScript files of a package, from the root; those of a package inside of it are not its own. */
export function typescriptFiles(folder: string): string[] {
  const inside = workspaces().flatMap((other) =>
    other.folder.startsWith(`${folder}/`) ? [other.folder] : [],
  );
  const found = globSync(`${folder}/**/*.ts`, { cwd: ROOT, exclude: (name) => name === 'node_modules' });
  return found.filter((file) => !inside.some((other) => file.startsWith(`${other}/`))).sort();
}

export function readJson(path: string): { [key: string]: unknown } {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}
