import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StackError } from '../../errors.ts';
import { unlessGone } from '../engine.ts';
import { buildImage, buildOnce, type ImageContext } from './build.ts';
import { provideImage } from './choose.ts';
import { reachNpm } from './npm.ts';
import { IMAGE_LABEL } from './stand-ins.ts';

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
  // Sources that cannot be read now have changed as well.
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

/** Of the images of our own services, from the root of the checkout. */
export const SERVICES_DOCKERFILE = 'deploy/images/email-events/Dockerfile';

/** Targets of that Dockerfile: what is for production, and the same with the stand-in for a CRM. */
export type ServicesTarget = 'services' | 'receiver';

/**
 * Every file that goes into the image of that target: what its Dockerfile copies, without what `.dockerignore` names.
 * From these two, so that nothing else has to know what the image is made of. Names from the root, sorted. Names in the
 * Dockerfile that end with `*` stand for files which need not be there; they are left out.
 */
export function servicesFiles(root: string, target: ServicesTarget): string[] {
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  const ignored = ignorePatterns(read('.dockerignore'));
  const names = copiedNames(upTo(target, read(SERVICES_DOCKERFILE))).flatMap((name) =>
    filesBelow(root, name),
  );
  const kept = names.filter((name) => !ignored.some((pattern) => matches(name, pattern)));
  return [...new Set([SERVICES_DOCKERFILE, ...kept])].sort();
}

/** The stages that the builder goes through for a target. */
function upTo(target: ServicesTarget, dockerfile: string): string {
  const stages = dockerfile.split(/^(?=FROM )/m);
  const last = stages.findIndex((stage) => stage.split('\n', 1)[0]?.endsWith(` AS ${target}`));
  if (last < 0) throw new Error(`${SERVICES_DOCKERFILE} has no target ${target}`);
  return stages.slice(0, last + 1).join('');
}

/** Sources of its COPY instructions, but for those out of other stages. */
export function copiedNames(dockerfile: string): string[] {
  return dockerfile
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([instruction, first]) => instruction === 'COPY' && !first?.startsWith('--from='))
    .flatMap((words) => words.slice(1, -1))
    .filter((name) => !name.startsWith('--') && !name.endsWith('*'));
}

/** The plain part of its syntax: one pattern a line, no exceptions. */
export function ignorePatterns(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const exception = patterns.find((pattern) => pattern.startsWith('!'));
  if (exception !== undefined) throw new Error(`.dockerignore: exceptions are not understood: ${exception}`);
  return patterns;
}

/** A folder's pattern stands for all that is in it. */
function matches(name: string, pattern: string): boolean {
  return matchesGlob(name, pattern) || matchesGlob(name, `${pattern}/**`);
}

function filesBelow(root: string, name: string): string[] {
  if (statSync(join(root, name)).isFile()) return [name];
  return readdirSync(join(root, name)).flatMap((entry) => filesBelow(root, `${name}/${entry}`));
}
