import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type InstallContext, installOnce, runTool } from '@email-events/dev/stack/programs';
import { installPnpm } from './pnpm.ts';
import { succeed } from './succeed.ts';

export const GHOST_VERSION = '6.65.0';
/**
 * Instead of the one that this Ghost is locked to: that one has to be compiled, and aborts on Node 24 when a statement is collected. This
 * one brings programs for all platforms, and is called the same way.
 */
const SQLITE_VERSION = '13.2.0';

/** Folder of the program. */
export function installGhost(context: InstallContext): Promise<string> {
  return installOnce(context, {
    component: 'ghost',
    folder: `ghost-${GHOST_VERSION}-sqlite-${SQLITE_VERSION}`,
    detail: `Ghost ${GHOST_VERSION} (npm)`,
    result: 'package',
    fill: async (folder) => {
      const { signal } = context;
      const pnpm = await installPnpm(context);
      await unpack(`ghost@${GHOST_VERSION}`, folder, signal);
      const cwd = join(folder, 'package');
      const store = join(folder, 'store');
      // By Ghost's own lock file. Its optional packages are compiled, but for those that are programs already.
      const exact = ['--prod', '--frozen-lockfile', '--ignore-scripts'];
      const apart = ['--store-dir', store, '--reporter', 'append-only'];
      succeed(await runTool(pnpm, ['install', ...exact, ...apart], { cwd, signal }));
      await rm(store, { recursive: true, force: true });
      await replace(`better-sqlite3@${SQLITE_VERSION}`, join(cwd, 'node_modules', 'better-sqlite3'), signal);
    },
  });
}

async function replace(name: string, place: string, signal: AbortSignal | undefined): Promise<void> {
  // pnpm links to where packages are.
  const folder = await realpath(place);
  await rm(folder, { recursive: true });
  await mkdir(folder);
  await unpack(name, folder, signal, ['--strip-components=1']);
}

/** A package out of npm, without what it needs. */
async function unpack(
  name: string,
  folder: string,
  signal: AbortSignal | undefined,
  options: readonly string[] = [],
): Promise<void> {
  const packed = await runTool('npm', ['pack', name, '--silent', '--pack-destination', folder], { signal });
  const archive = join(folder, succeed(packed).stdout.trim());
  const args = ['xzf', archive, '-C', folder, '--no-same-owner', ...options];
  succeed(await runTool('tar', args, { signal }));
  await rm(archive);
}
