import { GenericContainer, type WaitStrategy } from 'testcontainers';
import type { Labels } from './labels.ts';
import type { PublishedPort } from './spec.ts';

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
  /** Called when it has been started and nobody knows yet whether it answers. */
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

/** What testcontainers waits for after the start: here the caller's own wait, with its own deadline. */
export function waitingFor(ready: () => Promise<void>): WaitStrategy {
  const strategy: WaitStrategy = {
    waitUntilReady: ready,
    withStartupTimeout: () => strategy,
    isStartupTimeoutSet: () => true,
    getStartupTimeout: () => Number.POSITIVE_INFINITY,
  };
  return strategy;
}
