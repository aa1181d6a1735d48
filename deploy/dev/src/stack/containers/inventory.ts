import { readVersions } from '../versions.ts';
import type { Engine } from './engine.ts';
import { IMAGE_LABEL, referenceOf, STAND_INS } from './images/stand-ins.ts';
import { STACK_LABEL, type Use, useOf } from './ownership.ts';

export interface OwnImage {
  readonly reference: string;
  /** A stand-in's name, `services` or `receiver`. */
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

export interface Belonging {
  readonly kind: 'container' | 'network' | 'volume';
  readonly name: string;
  readonly stack: string;
  /** Its status or driver, for people. */
  readonly detail: string;
  readonly created: Date;
  readonly use: Use;
}

type Labelled = { readonly Labels?: { readonly [name: string]: string } | undefined };

/** Containers, networks and volumes of all stacks of this project on the engine, of other checkouts too. */
export async function listBelongings({ docker }: Engine): Promise<Belonging[]> {
  const filters = { label: [STACK_LABEL] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [
    ...containers.map((container) => {
      const name = container.Names[0]?.replace(/^\//, '') ?? container.Id.slice(0, 12);
      return belonging('container', name, container, container.Status, new Date(container.Created * 1000));
    }),
    ...networks.map((network) =>
      belonging('network', network.Name, network, network.Driver, new Date(network.Created)),
    ),
    ...(volumes ?? []).map((volume) =>
      belonging('volume', volume.Name, volume, volume.Driver, createdAt(volume)),
    ),
  ];
}

/**
 * Volumes that no container uses. Those that an image asks for do not carry the stack's label, so this is how they are noticed
 * when a container is removed without them.
 */
export async function strayVolumes({ docker }: Engine, since: Date): Promise<string[]> {
  const { Volumes: volumes } = await docker.listVolumes({ filters: { dangling: ['true'] } });
  return (volumes ?? []).filter((volume) => createdAt(volume) >= since).map(({ Name }) => Name);
}

function belonging(
  kind: Belonging['kind'],
  name: string,
  { Labels: labels = {} }: Labelled,
  detail: string,
  created: Date,
): Belonging {
  return { kind, name, stack: labels[STACK_LABEL] ?? '', detail, created, use: useOf(labels) };
}

/** The API's types lack it. */
function createdAt(volume: object): Date {
  return new Date((volume as { CreatedAt?: string }).CreatedAt ?? 0);
}
