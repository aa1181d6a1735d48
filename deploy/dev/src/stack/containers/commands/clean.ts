import { Command } from '@email-events/cli/command';
import { note, print } from '@email-events/cli/output';
import { connectEngine, type Engine } from '../engine.ts';
import { refusedWith, STATUS } from '../engine-answers.ts';
import { IMAGE_LABEL, imageInventory, type OwnImage } from '../images/index.ts';
import { sweep } from '../remove.ts';

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
