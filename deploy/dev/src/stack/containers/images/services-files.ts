import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';

/** Of the images of our own services, from the root of the checkout. */
export const SERVICES_DOCKERFILE = 'deploy/images/email-events/Dockerfile';

/** Targets of that Dockerfile: what is for production, and the same with the stand-in for a CRM. */
export type ServicesTarget = 'services' | 'receiver';

/**
 * Every file that goes into the image of that target: what its Dockerfile copies, without what `.dockerignore` names.
 * From these two, so that nothing else has to know what the image is made of. Names from the root, sorted. Names in the
 * Dockerfile that end with `*` stand for files which need not be there; they are left out.
 */
export function servicesFiles(root: string, target: ServicesTarget): string[] {
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  const ignored = ignorePatterns(read('.dockerignore'));
  const names = copiedNames(upTo(target, read(SERVICES_DOCKERFILE))).flatMap((name) =>
    filesBelow(root, name),
  );
  const kept = names.filter((name) => !ignored.some((pattern) => matches(name, pattern)));
  return [...new Set([SERVICES_DOCKERFILE, ...kept])].sort();
}

/** The stages that the builder goes through for a target. */
function upTo(target: ServicesTarget, dockerfile: string): string {
  const stages = dockerfile.split(/^(?=FROM )/m);
  const last = stages.findIndex((stage) => stage.split('\n', 1)[0]?.endsWith(` AS ${target}`));
  if (last < 0) throw new Error(`${SERVICES_DOCKERFILE} has no target ${target}`);
  return stages.slice(0, last + 1).join('');
}

/** Sources of its COPY instructions, but for those out of other stages. */
export function copiedNames(dockerfile: string): string[] {
  return dockerfile
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([instruction, first]) => instruction === 'COPY' && !first?.startsWith('--from='))
    .flatMap((words) => words.slice(1, -1))
    .filter((name) => !name.startsWith('--') && !name.endsWith('*'));
}

/** The plain part of its syntax: one pattern a line, no exceptions. */
export function ignorePatterns(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const exception = patterns.find((pattern) => pattern.startsWith('!'));
  if (exception !== undefined) throw new Error(`.dockerignore: exceptions are not understood: ${exception}`);
  return patterns;
}

/** A folder's pattern stands for all that is in it. */
function matches(name: string, pattern: string): boolean {
  return matchesGlob(name, pattern) || matchesGlob(name, `${pattern}/**`);
}

function filesBelow(root: string, name: string): string[] {
  if (statSync(join(root, name)).isFile()) return [name];
  return readdirSync(join(root, name)).flatMap((entry) => filesBelow(root, `${name}/${entry}`));
}
