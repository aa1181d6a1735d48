import type { Engine } from '../engine.ts';
import { STACK_LABEL } from '../labels.ts';

export interface Belonging {
  readonly kind: 'container' | 'network' | 'volume';
  readonly name: string;
  readonly stack: string;
  /** What people want to know about it. */
  readonly detail: string;
}

export interface OwnImage {
  readonly reference: string;
  readonly bytes: number;
}

/** Containers, networks and volumes of every stack of ours, whosoever runs it. */
export async function listBelongings({ docker }: Engine): Promise<Belonging[]> {
  const filters = { label: [STACK_LABEL] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  const stackOf = ({ Labels }: { Labels?: { [name: string]: string } | undefined }) =>
    Labels?.[STACK_LABEL] ?? '';
  return [
    ...containers.map((container): Belonging => {
      const name = container.Names[0]?.replace(/^\//, '') ?? container.Id.slice(0, 12);
      return { kind: 'container', name, stack: stackOf(container), detail: container.Status };
    }),
    ...networks.map((network): Belonging => {
      return { kind: 'network', name: network.Name, stack: stackOf(network), detail: network.Driver };
    }),
    ...(volumes ?? []).map((volume): Belonging => {
      return { kind: 'volume', name: volume.Name, stack: stackOf(volume), detail: volume.Driver };
    }),
  ];
}

/**
 * Volumes that no container uses and that were made since then. Those that an image asks for have no label of ours, so
 * this is how they are noticed when a container is removed without them.
 */
export async function strayVolumes({ docker }: Engine, since: Date): Promise<string[]> {
  const { Volumes: volumes } = await docker.listVolumes({ filters: { dangling: ['true'] } });
  return (volumes ?? [])
    .filter((volume) => new Date((volume as { CreatedAt?: string }).CreatedAt ?? 0) >= since)
    .map(({ Name }) => Name);
}

/** Images that were built here, every tag of them. */
export async function listImages({ docker }: Engine): Promise<OwnImage[]> {
  const images = await docker.listImages({ filters: { reference: ['email-events/*'] } });
  return images
    .flatMap(({ RepoTags, Size }) => (RepoTags ?? []).map((reference) => ({ reference, bytes: Size })))
    .sort((one, other) => one.reference.localeCompare(other.reference));
}
