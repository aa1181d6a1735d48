import { chmod, mkdir } from 'node:fs/promises';
import { GenericContainer, type WaitStrategy } from 'testcontainers';
import type { MakingSteps } from './container-component.ts';
import type { Engine } from './engine.ts';
import { COMPONENT_LABEL, type Labels, SPEC_LABEL } from './ownership.ts';
import { type ContainerSpec, keyOf, type PublishedPort } from './specs.ts';

export interface Place {
  readonly engine: Engine;
  readonly network: string;
  readonly labels: Labels;
  /** Folder of this machine for the component's data. */
  readonly dataDir: string;
}

/** Makes the container of the spec and starts it; resolves when it is ready, as `steps.ready` says. */
export async function makeContainer(place: Place, spec: ContainerSpec, steps: MakingSteps): Promise<void> {
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
    created: steps.created,
    started: steps.started,
  });
  container
    .withEnvironment(spec.env)
    .withBindMounts([...mounts])
    .withCopyFilesToContainer([...spec.copy])
    .withWaitStrategy(waitingFor(steps.ready));
  if (user !== undefined) container.withUser(user);
  await container.start();
}

export interface StackContainerOptions {
  readonly image: string;
  readonly labels: Labels;
  readonly network: string;
  /** Host name in that network. */
  readonly alias: string;
  readonly publish: readonly PublishedPort[];
  /** Published ports are bound to 127.0.0.1 only. Not possible when the engine runs on another machine. */
  readonly loopback: boolean;
  /** Called when it exists and has not been started. */
  created?(containerId: string): Promise<void>;
  /** Called when it has been started, before it is known whether it answers. */
  started?(containerId: string): Promise<void>;
}

/**
 * A container as testcontainers makes it, but for: ports on loopback only; no reaper, since its image cannot be had
 * everywhere and the stack has a watchdog; no pull, since the image was provided before.
 */
export class StackContainer extends GenericContainer {
  readonly #options: StackContainerOptions;
  #id = '';

  constructor(options: StackContainerOptions) {
    super(options.image);
    this.#options = options;
    this.withLabels(options.labels)
      .withAutoCleanup(false)
      .withPullPolicy({ shouldPull: () => 'never' })
      .withNetworkMode(options.network)
      .withHostname(options.alias)
      .withExposedPorts(...options.publish);
    // Not withNetworkAliases, which would put it into the default network as well.
    this.createOpts.NetworkingConfig = {
      EndpointsConfig: { [options.network]: { Aliases: [options.alias] } },
    };
    const address = options.loopback ? { HostIp: '127.0.0.1' } : {};
    this.hostConfig.PortBindings = Object.fromEntries(
      options.publish.map(({ container, host }) => [
        `${container}/tcp`,
        [{ ...address, HostPort: String(host) }],
      ]),
    );
  }

  protected override async containerCreated(containerId: string): Promise<void> {
    this.#id = containerId;
    await this.#options.created?.(containerId);
  }

  protected override async containerStarting(): Promise<void> {
    await this.#options.started?.(this.#id);
  }
}

/** Makes testcontainers wait after the start for `ready`, which has its own deadline. */
export function waitingFor(ready: () => Promise<void>): WaitStrategy {
  const strategy: WaitStrategy = {
    waitUntilReady: ready,
    withStartupTimeout: () => strategy,
    isStartupTimeoutSet: () => true,
    getStartupTimeout: () => Number.POSITIVE_INFINITY,
  };
  return strategy;
}

export interface DataAccess {
  /** `uid:gid` that the container runs as; undefined for the image's own user. */
  readonly user?: string;
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
}

/**
 * Makes a folder of this machine the container's data folder. Its files belong to the user who runs the stack and
 * can therefore delete them; group 0 is what images give the folders of a user that they do not know. Root has no need of that,
 * so there the image keeps its own user, for whom the folder is open.
 *
 * An engine on another machine cannot mount folders of this one: there the data stay in the container and go with it.
 */
export async function dataAccess(engine: Engine, source: string, target: string): Promise<DataAccess> {
  if (!engine.local) return { mounts: [] };
  await mkdir(source, { recursive: true });
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { user: `${uid}:0`, mounts: [{ source, target }] };
  await chmod(source, 0o777);
  return { mounts: [{ source, target }] };
}
