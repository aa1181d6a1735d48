import { lchown, lstat, mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import type { Engine } from '../stack/containers/engine.ts';

export interface MountedFolder {
  /** A relative one is below the checkout, as for processes. */
  readonly source: string;
  readonly target: string;
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
}

/** The image's own. */
const IMAGE_USER = { uid: 1000, gid: 1000 };
/** What images give the folders of a user that they do not know. */
const GROUP_OF_ANY_USER = 0;

/**
 * Whom containers of ours run as: whoever runs the pipeline, so that what they write is theirs; under root, which no
 * service needs to be, the image's user.
 */
export function userOfContainers(uid: number = process.getuid?.() ?? 0): ContainerUser {
  return uid === 0 ? IMAGE_USER : { uid, gid: GROUP_OF_ANY_USER };
}

/**
 * Makes the folder one that this user can write. Empty on an engine that runs elsewhere and sees no folder of ours: what
 * a service keeps goes with its container there.
 */
export async function mountFolder(
  engine: Pick<Engine, 'local'>,
  user: ContainerUser,
  { source, target }: MountedFolder,
): Promise<MountedFolder[]> {
  if (!engine.local) return [];
  const folder = resolve(REPOSITORY, source);
  await mkdir(folder, { recursive: true });
  if (process.getuid?.() === 0) await giveTo(user, folder);
  return [{ source: folder, target }];
}

/**
 * With what processes of root may have left in it. Links are given, never followed: services write here, and one that was
 * broken into could have a file of root given to it by a link to that file.
 */
async function giveTo(user: ContainerUser, path: string): Promise<void> {
  await lchown(path, user.uid, user.gid);
  if (!(await lstat(path)).isDirectory()) return;
  for (const name of await readdir(path)) await giveTo(user, join(path, name));
}
