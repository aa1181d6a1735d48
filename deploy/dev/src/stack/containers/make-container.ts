import type { Birth } from './container-component.ts';
import type { Engine } from './engine.ts';
import { COMPONENT_LABEL, type Labels, SPEC_LABEL } from './labels.ts';
import { type ContainerSpec, keyOf } from './spec.ts';
import { StackContainer, waitingFor } from './stack-container.ts';
import { dataAccess } from './volumes.ts';

export interface Place {
  readonly engine: Engine;
  readonly network: string;
  readonly labels: Labels;
  /** Folder of this machine for the component's data. */
  readonly dataDir: string;
}

/** Makes the container of the spec and starts it; resolves when it is ready, as `birth` says. */
export async function makeContainer(place: Place, spec: ContainerSpec, birth: Birth): Promise<void> {
  const { engine, network, dataDir } = place;
  const { user, mounts } = await dataAccess(engine, dataDir, spec.dataFolder);
  const { Id: imageId } = await engine.docker.getImage(spec.image).inspect();
  const container = new StackContainer({
    image: spec.image,
    labels: { ...place.labels, [COMPONENT_LABEL]: spec.name, [SPEC_LABEL]: keyOf(spec, imageId) },
    network,
    alias: spec.name,
    publish: spec.publish,
    loopback: engine.local,
    created: birth.created,
    started: birth.started,
  });
  container
    .withEnvironment(spec.env)
    .withBindMounts([...mounts])
    .withCopyFilesToContainer([...spec.copy])
    .withWaitStrategy(waitingFor(birth.ready));
  if (user !== undefined) container.withUser(user);
  await container.start();
}
