import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildImage } from './build.ts';
import { buildOnce } from './build-once.ts';
import type { ImageContext } from './context.ts';
import { provideImage } from './index.ts';
import { reachNpm } from './reach-npm.ts';
import { SERVICES_DOCKERFILE, servicesFiles } from './services-files.ts';
import { IMAGE_LABEL } from './stand-in.ts';

const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
const NAME = 'services';
const ID_LENGTH = 12;
/** Where the Dockerfile looks for them; not one of the image's files, as they do not go into it. */
const AUTHORITIES = 'deploy/images/email-events/ca.pem';

/**
 * The image of our own services: built when there is none of exactly these sources on this base. Returns its name.
 * @throws StackError STACK_IMAGE_BUILD_FAILED, STACK_IMAGE_MISSING, STACK_ABORTED
 */
export async function provideServicesImage(context: ImageContext): Promise<string> {
  const base = await provideImage('node', context);
  const { Id: baseId } = await context.engine.docker.getImage(base.reference).inspect();
  const names = servicesFiles(ROOT);
  const reference = `email-events/${NAME}:${idOf(names, baseId)}`;
  return buildOnce(context, { name: NAME, reference }, async () => {
    return () => build(context, reference, base.reference, names);
  });
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
