import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StackError } from '../../errors.ts';
import { unlessGone } from '../engine-answers.ts';
import { buildImage } from './build.ts';
import { buildOnce } from './build-once.ts';
import type { ImageContext } from './context.ts';
import { provideImage } from './index.ts';
import { reachNpm } from './reach-npm.ts';
import { SERVICES_DOCKERFILE, type ServicesTarget, servicesFiles } from './services-files.ts';
import { IMAGE_LABEL } from './stand-in.ts';

const ROOT = fileURLToPath(new URL('../../../../../../', import.meta.url));
const ID_LENGTH = 12;
/** Where the Dockerfile looks for them; not one of the image's files, as they do not go into it. */
const AUTHORITIES = 'deploy/images/email-events/ca.pem';

interface Sources {
  /** Of the checkout. */
  readonly root: string;
  /** Name of the image that it is built on. */
  readonly base: string;
  readonly target: ServicesTarget;
}

/** The images that services in containers run in: the receiver needs what no production has. */
export type ServicesImages = { readonly [target in ServicesTarget]: string };

/**
 * Both of them, one after the other, as the second begins with what the first is made of.
 * @throws StackError as provideServicesImage
 */
export async function provideServicesImages(context: ImageContext): Promise<ServicesImages> {
  const services = await provideServicesImage(context, 'services');
  return { services, receiver: await provideServicesImage(context, 'receiver') };
}

/**
 * The image of our own services, or of a further target: built when there is none of exactly these sources on this base. Returns its name.
 * @throws StackError STACK_IMAGE_BUILD_FAILED, STACK_IMAGE_MISSING, STACK_ABORTED
 */
export async function provideServicesImage(
  context: ImageContext,
  target: ServicesTarget,
  root = ROOT,
): Promise<string> {
  const base = await provideImage('node', context);
  const sources = { root, base: base.reference, target };
  let reference = await nameOf(context, sources);
  await buildOnce(context, { name: target, reference }, async () => {
    // Another build may have had to end first: the sources of now are built, not those of then.
    reference = await nameOf(context, sources);
    return () => build(context, reference, sources);
  });
  return reference;
}

/** @throws StackError STACK_IMAGE_BUILD_FAILED, also if the sources are no longer those that it is named after */
async function build(context: ImageContext, reference: string, sources: Sources): Promise<void> {
  const { root, base, target } = sources;
  const { network, buildArgs, authorities } = await reachNpm(context);
  const files = Object.fromEntries(servicesFiles(root, target).map((name) => [name, join(root, name)]));
  await buildImage(context, {
    reference,
    context: authorities ? { ...files, [AUTHORITIES]: authorities } : files,
    dockerfile: SERVICES_DOCKERFILE,
    target,
    buildArgs: { NODE_IMAGE: base, ...buildArgs },
    labels: { [IMAGE_LABEL]: target },
    ...(network && { network }),
  });
  // What cannot be read now has changed as well.
  const now = await nameOf(context, sources).catch(() => undefined);
  if (now === reference) return;
  await unlessGone(context.engine.docker.getImage(reference).remove({ force: true }));
  throw new StackError(
    'STACK_IMAGE_BUILD_FAILED',
    `the sources changed while the image ${reference} was built: start again`,
  );
}

/** Changes with any file that goes into the image, and with the image that it is built on. */
async function nameOf({ engine }: ImageContext, { root, base, target }: Sources): Promise<string> {
  const { Id: baseId } = await engine.docker.getImage(base).inspect();
  const hash = createHash('sha256').update(baseId);
  for (const name of servicesFiles(root, target)) {
    const content = readFileSync(join(root, name));
    hash.update(`\0${name}\0${content.length}\0`).update(content);
  }
  return `email-events/${target}:${hash.digest('hex').slice(0, ID_LENGTH)}`;
}
