import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstallContext } from '../../local/install.ts';
import type { Versions } from '../../versions.ts';

/** On every image that is made here: what it is for. */
export const IMAGE_LABEL = 'email-events.image';

const HASH_LENGTH = 12;

/** An image that is made here, in place of one that cannot be pulled, or as a layer below such. */
export interface StandIn {
  readonly name: string;
  /** Has the Dockerfile and what belongs to it, and no folders. */
  readonly folder: string;
  /** Image that the Dockerfile gets as its argument BASE. */
  readonly parent?: StandIn;
  /** Beginning of the tag. */
  version(versions: Versions): string;
  /** Versions of what `files` brings, and anything else but the folder that the image depends on. */
  inputs(versions: Versions): readonly string[];
  /** What the build sees apart from the folder: names in the context, and paths. Installs it if need be. */
  files?(context: InstallContext): Promise<Readonly<Record<string, string>>>;
  /** Patterns of what is not wanted of it. */
  readonly exclude?: readonly string[];
}

/**
 * Its name and tag. The tag changes with everything that goes into the image, so an image that has it is never stale,
 * and whether there is one can be told without installing anything.
 */
export function referenceOf(standIn: StandIn, versions: Versions): string {
  const hash = createHash('sha256');
  const add = (...parts: readonly string[]) => {
    for (const part of parts) hash.update(`${part.length}:`).update(part);
  };
  if (standIn.parent) add(referenceOf(standIn.parent, versions));
  add(...standIn.inputs(versions));
  for (const [name, path] of Object.entries(filesOf(standIn.folder))) add(name, readFileSync(path, 'utf8'));
  const digest = hash.digest('hex').slice(0, HASH_LENGTH);
  return `email-events/${standIn.name}:${standIn.version(versions)}-${digest}`;
}

/** Files of a folder that has no folders, in an order that is the same everywhere. */
export function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, join(folder, name)]));
}
