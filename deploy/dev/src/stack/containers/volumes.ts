import { chmod, mkdir } from 'node:fs/promises';
import type { Engine } from './engine.ts';

export interface DataAccess {
  /** `uid:gid` that the container runs as; undefined for the image's own user. */
  readonly user?: string;
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
}

/**
 * Makes a folder of this machine the container's data folder. Its files belong to whoever runs the stack, who can
 * delete them then; group 0 is what images give the folders of a user that they do not know. Root has no need of that,
 * so there the image keeps its own user, for whom the folder is open.
 *
 * An engine on another machine sees no folder of ours: there the data stay in the container and go with it.
 */
export async function dataAccess(engine: Engine, source: string, target: string): Promise<DataAccess> {
  if (!engine.local) return { mounts: [] };
  await mkdir(source, { recursive: true });
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { user: `${uid}:0`, mounts: [{ source, target }] };
  await chmod(source, 0o777);
  return { mounts: [{ source, target }] };
}
