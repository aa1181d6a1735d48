import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../../lock.ts';
import { withProgress } from '../../progress.ts';
import { buildImage } from './build.ts';
import type { ImageContext } from './context.ts';
import { provideImage } from './index.ts';
import { isPresent } from './present.ts';
import { reachNpm } from './reach-npm.ts';
import { SERVICES_DOCKERFILE, servicesFiles } from './services-files.ts';
import { IMAGE_LABEL } from './stand-in.ts';

const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
const TOOLS_DIR = join(ROOT, '.email-events', 'tools');
const NAME = 'services';
const ID_LENGTH = 12;
/** Where the Dockerfile looks for them; not one of the image's files, as they do not go into it. */
const AUTHORITIES = 'deploy/images/email-events/ca.pem';

/**
 * The image of our own services: built when there is none of exactly these sources on this base. Returns its name.
 * Whoever comes while another process builds waits for that one.
 * @throws StackError STACK_IMAGE_BUILD_FAILED, STACK_IMAGE_MISSING, STACK_ABORTED
 */
export async function provideServicesImage(context: ImageContext): Promise<string> {
  const { engine, signal, onProgress, toolsDir = TOOLS_DIR } = context;
  const base = await provideImage('node', context);
  const { Id: baseId } = await engine.docker.getImage(base.reference).inspect();
  const names = servicesFiles(ROOT);
  const reference = `email-events/${NAME}:${idOf(names, baseId)}`;
  if (await isPresent(engine, reference)) return reference;
  mkdirSync(toolsDir, { recursive: true });
  const work = async () => {
    if (await isPresent(engine, reference)) return;
    const step = { component: NAME, step: 'install', detail: `${reference} (built here)` } as const;
    await withProgress(onProgress, step, () => build(context, reference, base.reference, names));
  };
  await withLock(join(toolsDir, `image-${NAME}.lock`), work, { signal });
  return reference;
}

async function build(
  context: ImageContext,
  reference: string,
  base: string,
  names: readonly string[],
): Promise<void> {
  const { network, buildArgs, authorities } = await reachNpm(context);
  const files = Object.fromEntries(names.map((name) => [name, join(ROOT, name)]));
  await buildImage(context, {
    reference,
    context: authorities ? { ...files, [AUTHORITIES]: authorities } : files,
    dockerfile: SERVICES_DOCKERFILE,
    buildArgs: { NODE_IMAGE: base, ...buildArgs },
    labels: { [IMAGE_LABEL]: NAME },
    ...(network && { network }),
  });
}

/** Changes with any file that goes into the image, and with the image that it is built on. */
function idOf(names: readonly string[], baseId: string): string {
  const hash = createHash('sha256').update(baseId);
  for (const name of names) {
    const content = readFileSync(join(ROOT, name));
    hash.update(`\0${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, ID_LENGTH);
}
