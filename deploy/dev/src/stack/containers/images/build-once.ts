import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '../../lock.ts';
import { withProgress } from '../../progress.ts';
import { TOOLS_DIR } from '../../tools-dir.ts';
import type { ImageContext } from './context.ts';
import { isPresent } from './present.ts';

/**
 * Builds the image unless the engine has it. Whoever comes while another process builds waits for that one.
 * `prepare` has what it is built on; what it returns builds it.
 */
export async function buildOnce(
  context: ImageContext,
  { name, reference }: { readonly name: string; readonly reference: string },
  prepare: (toolsDir: string) => Promise<() => Promise<void>>,
): Promise<string> {
  const { engine, signal, onProgress, toolsDir = TOOLS_DIR } = context;
  if (await isPresent(engine, reference)) return reference;
  mkdirSync(toolsDir, { recursive: true });
  const work = async () => {
    if (await isPresent(engine, reference)) return;
    const build = await prepare(toolsDir);
    const step = { component: name, step: 'install', detail: `${reference} (built here)` } as const;
    await withProgress(onProgress, step, build);
  };
  await withLock(join(toolsDir, `image-${name}.lock`), work, { signal });
  return reference;
}
