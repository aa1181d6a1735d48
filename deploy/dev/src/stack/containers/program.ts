import { Command, InvalidArgumentError } from '@email-events/cli/command';
import { EXIT } from '@email-events/cli/exit-codes';
import { note, print, renderTable } from '@email-events/cli/output';
import { printProgress } from '../progress.ts';
import { allOrFirstFailure } from '../starting.ts';
import { connectEngine, type Engine, refusedWith, STATUS } from './engine.ts';
import type { ImageContext } from './images/build.ts';
import { provideImage } from './images/choose.ts';
import { provideServicesImages } from './images/services.ts';
import { IMAGE_LABEL } from './images/stand-ins.ts';
import { imageInventory, listBelongings, type OwnImage, strayVolumes } from './inventory.ts';
import { sweep } from './ownership.ts';
import { engineCommand } from './set-up/engine-control.ts';
import { OTHERS } from './specs.ts';

/** All commands of `npm run containers -- …`; the signal calls off what takes long. */
export function createContainersProgram(signal: AbortSignal): Command {
  const program = new Command('npm run containers --')
    .description('The container engine, and the images and containers that this project has on it.')
    .option('--verbose', 'show where an error comes from', false)
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 failed, or something is left · 2 wrong usage · 4 no engine runs · 130 interrupted',
    );
  for (const command of [engineCommand(signal), statusCommand(), buildCommand(signal), cleanCommand()])
    program.addCommand(command);
  throwInsteadOfExit(program);
  return program;
}

/** Of the commands as well: what is added does not inherit it. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(add --help for what it takes)');
  for (const child of command.commands) throwInsteadOfExit(child);
}

const ROLES = ['kafka', ...OTHERS] as const;

export function buildCommand(signal: AbortSignal): Command {
  return new Command('build')
    .description('Have every image that a stack and our services need: present, pulled or built here')
    .action(() => build(signal));
}

async function build(signal: AbortSignal): Promise<void> {
  for (const line of await provideImages(await connectEngine(), signal)) print(line);
}

/** All at once, since each waits for other things; the first failure calls the others off. Returns what each is, in words. */
export async function provideImages(engine: Engine, signal: AbortSignal): Promise<string[]> {
  const failure = new AbortController();
  const context: ImageContext = {
    engine,
    env: process.env,
    onProgress: printProgress,
    signal: AbortSignal.any([signal, failure.signal]),
  };
  const component = async (role: (typeof ROLES)[number]) => {
    const { reference, standIn } = await provideImage(role, context);
    return `${reference}${standIn ? ' (built here, stands in for the public one)' : ''}`;
  };
  const services = async () => Object.values(await provideServicesImages(context)).join('\n');
  const work = [...ROLES.map(component), services()];
  return await allOrFirstFailure(work, failure, signal);
}

export function statusCommand(): Command {
  return new Command('status')
    .description('Images, containers, networks and volumes of ours')
    .option(
      '--left-since <seconds>',
      'only what was made since then (Unix time) and nobody uses; exit code 1 if there is any',
      parseTime,
    )
    .action(status);
}

async function status({ leftSince }: { leftSince?: Date }): Promise<void> {
  const engine = await connectEngine();
  if (leftSince) await showLeft(engine, leftSince);
  else await showAll(engine);
}

async function showAll(engine: Engine): Promise<void> {
  const [images, belongings] = await Promise.all([imageInventory(engine), listBelongings(engine)]);
  const rows = [
    ...images.map(({ reference, bytes, current }) => [
      'image',
      reference,
      '',
      current ? '' : 'old',
      `${Math.round(bytes / 1e6)} MB`,
    ]),
    ...belongings.map(({ kind, name, stack, use, detail }) => [kind, name, stack, use, detail]),
  ];
  if (rows.length === 0) print('the container engine has nothing of ours');
  else print(await renderTable(['', 'name', 'stack', 'use', ''], rows));
}

/**
 * For use after tests, which must leave nothing. Stacks that run meanwhile are not looked at; those that another checkout
 * kept or left cannot be told apart from this one's.
 */
async function showLeft(engine: Engine, since: Date): Promise<void> {
  const left = (await listBelongings(engine))
    .filter(({ use, created }) => (use === 'left' || use === 'kept') && created >= since)
    .map(({ kind, name, stack, detail }) => `${kind} ${name} of stack ${stack}, ${detail}`);
  const volumes = await strayVolumes(engine, since);
  const lines = [...left, ...volumes.map((name) => `volume ${name}, which no container uses`)];
  for (const line of lines) note(`left behind: ${line}`);
  if (lines.length > 0) process.exitCode = EXIT.failed;
  else print('nothing is left behind');
}

function parseTime(text: string): Date {
  const seconds = Number(text);
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new InvalidArgumentError('must be seconds since 1970, as `date +%s` prints them.');
  return new Date(seconds * 1000);
}

export function cleanCommand(): Command {
  return new Command('clean')
    .description('Remove stacks of ours that nobody runs, those kept for reuse included, and old images')
    .option('--all-images', 'also the images that this checkout uses now', false)
    .action(clean);
}

async function clean({ allImages }: { allImages: boolean }): Promise<void> {
  const engine = await connectEngine();
  const stacks = await sweep(engine, { kept: true });
  print(stacks.length === 0 ? 'no stack is left over' : `removed what was left of ${stacks.join(', ')}`);
  const images = await imageInventory(engine);
  const superfluous = allImages ? images : oldImages(images);
  const unnamed = await unnamedImages(engine);
  for (const reference of [...superfluous.map(({ reference }) => reference), ...unnamed])
    await removeImage(engine, reference);
  if (superfluous.length + unnamed.length === 0) print('no image is too many');
}

/** Ids of what builds leave when an image gets its name anew, or of their stages. */
async function unnamedImages({ docker }: Engine): Promise<string[]> {
  const images = await docker.listImages({ filters: { label: [IMAGE_LABEL], dangling: ['true'] } });
  return images.map(({ Id }) => Id);
}

/** Stand-ins that would be built differently now, and of images that follow the sources all but the newest. */
export function oldImages(images: readonly OwnImage[]): OwnImage[] {
  const newest = new Map<string, OwnImage>();
  for (const image of images.filter(({ current }) => current)) {
    const other = newest.get(image.purpose);
    if (!other || other.created < image.created) newest.set(image.purpose, image);
  }
  return images.filter((image) => newest.get(image.purpose) !== image);
}

async function removeImage({ docker }: Engine, reference: string): Promise<void> {
  try {
    await docker.getImage(reference).remove();
    print(`removed ${reference}`);
  } catch (error) {
    if (!refusedWith(error, STATUS.conflict)) throw error;
    note(`kept ${reference}: a container uses it`);
  }
}
