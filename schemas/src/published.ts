import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type IncompatibilityCode, incompatibilities } from './compatibility.ts';
import { schemas } from './generated/schemas.gen.ts';
import { subjects } from './topics.ts';

/** Published versions by subject, v1 first. */
export type Published = ReadonlyMap<string, readonly unknown[]>;

/** reader-older: programs built with the frozen version read new data; reader-newer: new programs read old data. */
export type Direction = 'reader-older' | 'reader-newer';

export interface CompatibilityProblem {
  readonly subject: string;
  /** Frozen version that the current schema was compared with; 0: the subject as a whole. */
  readonly version: number;
  readonly code: IncompatibilityCode | 'NOT_FROZEN' | 'VERSION_MISSING' | 'SUBJECT_UNKNOWN';
  readonly direction: Direction | null;
  /** Where in the schema, e.g. events[].occurred_at; empty: the top. */
  readonly path: string;
  readonly explanation: string;
}

export const publishedFolder = new URL('../published/', import.meta.url);

/** The frozen versions in the repository. */
export function readPublished(folder: URL = publishedFolder): Published {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  return new Map(names.map((name) => [name, readVersions(new URL(`${name}/`, folder))]));
}

/** Schemas of this version of the code by subject. */
export function currentSchemas(): ReadonlyMap<string, unknown> {
  return new Map(subjects.map(({ name, schema }) => [name, schemas[schema]]));
}

/**
 * FULL_TRANSITIVE without a server: every current schema against every frozen version, in both directions.
 * Empty: everything is right.
 */
export function checkCompatibility(
  current: ReadonlyMap<string, unknown> = currentSchemas(),
  published: Published = readPublished(),
): CompatibilityProblem[] {
  const problems: CompatibilityProblem[] = [];
  const whole = (subject: string, version: number, code: CompatibilityProblem['code'], explanation: string) =>
    problems.push({ subject, version, code, direction: null, path: '', explanation });
  for (const [subject, schema] of current) {
    const versions = published.get(subject) ?? [];
    const missing = versions.indexOf(undefined);
    if (missing >= 0) whole(subject, missing + 1, 'VERSION_MISSING', 'versions are numbered without gaps');
    else problems.push(...compareWithVersions(subject, schema, versions));
    if (!isDeepStrictEqual(versions.at(-1), schema)) {
      const explanation = 'the schema differs from its newest frozen version: run `npm run schemas:freeze`';
      whole(subject, versions.length, 'NOT_FROZEN', explanation);
    }
  }
  for (const subject of published.keys()) {
    if (!current.has(subject)) whole(subject, 0, 'SUBJECT_UNKNOWN', 'no topic has this subject');
  }
  return problems;
}

/** A schema against versions of its subject, v1 first, both ways. */
export function compareWithVersions(
  subject: string,
  schema: unknown,
  versions: readonly unknown[],
): CompatibilityProblem[] {
  return versions.flatMap((frozen, index) => {
    const place = { subject, version: index + 1 };
    return [
      ...incompatibilities(schema, frozen).map((found) => ({
        ...place,
        direction: 'reader-newer' as const,
        ...found,
      })),
      ...incompatibilities(frozen, schema).map((found) => ({
        ...place,
        direction: 'reader-older' as const,
        ...found,
      })),
    ];
  });
}

/** A missing number is undefined in the list. */
function readVersions(folder: URL): unknown[] {
  const versions: unknown[] = [];
  for (const file of readdirSync(folder)) {
    const number = Number(/^v([1-9]\d*)\.avsc$/.exec(file)?.[1]);
    if (number > 0) versions[number - 1] = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
  }
  return Array.from(versions);
}
