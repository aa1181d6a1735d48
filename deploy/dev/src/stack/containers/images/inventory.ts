import { readVersions } from '../../versions.ts';
import type { Engine } from '../engine.ts';
import { IMAGE_LABEL, referenceOf } from './stand-in.ts';
import { STAND_INS } from './stand-ins.ts';

export interface OwnImage {
  readonly reference: string;
  /** What it is for: a stand-in's name, `services` or `receiver`. */
  readonly purpose: string;
  /** With all its layers, also those that others share. */
  readonly bytes: number;
  readonly created: Date;
  /** False of a stand-in that this checkout would build differently now. */
  readonly current: boolean;
}

/** The images that were made here and have a name, of this checkout and of any other on the machine. */
export async function imageInventory({ docker }: Engine): Promise<OwnImage[]> {
  const versions = readVersions();
  const wanted = new Set(STAND_INS.map((standIn) => referenceOf(standIn, versions)));
  const standIns = new Set(STAND_INS.map(({ name }) => name));
  const images = await docker.listImages({ filters: { label: [IMAGE_LABEL] } });
  const found = images.flatMap(({ RepoTags, Labels, Size, Created }) =>
    (RepoTags ?? []).filter(isNamed).map((reference): OwnImage => {
      const purpose = Labels?.[IMAGE_LABEL] ?? '';
      const current = !standIns.has(purpose) || wanted.has(reference);
      return { reference, purpose, bytes: Size, created: new Date(Created * 1000), current };
    }),
  );
  return found.sort((one, other) => one.reference.localeCompare(other.reference));
}

/** Engines differ in how they say that there is no name. */
function isNamed(reference: string): boolean {
  return reference !== '<none>:<none>';
}
