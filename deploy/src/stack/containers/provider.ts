import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { claimDataDir, portsOf } from '../data-dir.ts';
import { type ProgressListener, withProgress } from '../progress.ts';
import { REGISTRY_API } from '../registry-settings.ts';
import { clearRunning, writeRunning } from '../running.ts';
import type { ComponentName, Stack, StackAddresses, StackOptions, StackProvider } from '../stack.ts';
import { allOrFirstFailure, componentNamed, stopAll } from '../starting.ts';
import { CLICKHOUSE_INSIDE, clickhouseContainer } from './clickhouse.ts';
import { type Birth, ContainerComponent } from './container-component.ts';
import { connectEngine, type Engine } from './engine.ts';
import { provideImage } from './images/index.ts';
import { KAFKA_INSIDE, kafkaContainer } from './kafka.ts';
import { type Labels, stackLabels } from './labels.ts';
import { createNetwork } from './network.ts';
import { REGISTRY_INSIDE, registryContainer } from './registry.ts';
import { removeStack, sweep } from './remove.ts';
import type { ContainerSpec } from './spec.ts';
import { StackContainer, waitingFor } from './stack-container.ts';
import { dataAccess } from './volumes.ts';
import { startWatchdog, type Watchdog } from './watch.ts';

const COMPONENTS = ['kafka', 'registry', 'clickhouse'] as const;
const PORT_NAMES = ['kafka', 'kafkaProxied', 'registry', 'clickhouse'] as const;

type Environment = Readonly<Record<string, string | undefined>>;
type Ports = Record<(typeof PORT_NAMES)[number], number>;

/** Components as containers, by testcontainers. `env` may name other images, see images/choose.ts. */
export function containersProvider(env: Environment): StackProvider {
  return { start: (options) => new ContainerStart(options, env).run() };
}

/** One start, from the lock to the stack, which undoes what it did if any of it fails. */
class ContainerStart {
  readonly #options: StackOptions;
  readonly #env: Environment;
  readonly #dataDir: string;
  readonly #progress: ProgressListener;
  readonly #stackId = randomBytes(6).toString('hex');
  readonly #labels: Labels;
  /** Aborts when the caller's signal does, and when one component fails, so that the others do not go on. */
  readonly #abort = new AbortController();
  readonly #components: ContainerComponent[] = [];

  constructor(options: StackOptions, env: Environment) {
    this.#options = options;
    this.#env = env;
    this.#dataDir = resolve(options.dataDir);
    this.#progress = options.onProgress ?? (() => {});
    this.#labels = stackLabels(this.#stackId, this.#dataDir, false);
  }

  async run(): Promise<Stack> {
    const lock = claimDataDir(this.#dataDir);
    let engine: Engine | undefined;
    let watchdog: Watchdog | undefined;
    const release = async () => {
      try {
        await stopAll(this.#components, this.#progress);
        if (engine) await removeStack(engine, this.#stackId);
        await watchdog?.close();
      } finally {
        clearRunning(this.#dataDir);
        lock.release();
      }
    };
    const onAbort = () => this.#abort.abort();
    this.#options.signal?.addEventListener('abort', onAbort, { once: true });
    if (this.#options.signal?.aborted) onAbort();
    try {
      engine = await connectEngine();
      await sweep(engine);
      const ports = await portsOf(this.#dataDir, PORT_NAMES, this.#options.ports);
      watchdog = startWatchdog(this.#stackId);
      const network = await createNetwork(engine, this.#stackId, this.#labels);
      await this.#startAll(engine, network, ports);
      return this.#stack(engine, network, ports, release);
    } catch (error) {
      await release();
      throw error;
    } finally {
      this.#options.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** All at once: each component starts as soon as its own image is there. */
  async #startAll(engine: Engine, network: string, ports: Ports): Promise<void> {
    const starts = COMPONENTS.map(async (name) => {
      const spec = await this.#spec(engine, name, ports);
      const detail = spec.image;
      await withProgress(this.#progress, { component: name, step: 'start', detail }, async () => {
        const component = new ContainerComponent(spec, engine, join(this.#dataDir, 'logs', `${name}.log`));
        this.#components.push(component);
        const make = (made: ContainerSpec, birth: Birth) => this.#make(engine, network, made, birth);
        await component.create(make, this.#abort.signal);
      });
    });
    await allOrFirstFailure(starts, this.#abort, this.#options.signal);
  }

  async #spec(engine: Engine, name: ComponentName, ports: Ports): Promise<ContainerSpec> {
    const { signal } = this.#abort;
    const context = { engine, env: this.#env, onProgress: this.#progress, signal };
    const { reference: image } = await provideImage(name, context);
    const { host } = engine;
    switch (name) {
      case 'kafka': {
        const advertised = this.#options.advertise?.kafka;
        const proxied = advertised === undefined ? undefined : { port: ports.kafkaProxied, advertised };
        return kafkaContainer({ image, host, port: ports.kafka, proxied });
      }
      case 'registry':
        return registryContainer(image, host, ports.registry);
      case 'clickhouse':
        return clickhouseContainer(image, host, ports.clickhouse);
    }
  }

  async #make(engine: Engine, network: string, spec: ContainerSpec, birth: Birth): Promise<void> {
    const { created, started } = birth;
    const { user, mounts } = await dataAccess(engine, join(this.#dataDir, spec.name), spec.dataFolder);
    const container = new StackContainer({
      ...{ image: spec.image, labels: this.#labels, network, alias: spec.name, publish: spec.publish },
      ...{ loopback: engine.local, created, started },
    });
    container
      .withEnvironment(spec.env)
      .withBindMounts([...mounts])
      .withCopyFilesToContainer([...spec.copy])
      .withWaitStrategy(waitingFor(birth.ready));
    if (user !== undefined) container.withUser(user);
    await container.start();
  }

  #stack(engine: Engine, network: string, ports: Ports, release: () => Promise<void>): Stack {
    const addresses: StackAddresses = {
      kafka: { brokers: [`${engine.host}:${ports.kafka}`] },
      registry: { url: `http://${engine.host}:${ports.registry}${REGISTRY_API}` },
      clickhouse: { url: `http://${engine.host}:${ports.clickhouse}` },
    };
    const components = this.#components;
    writeRunning(this.#dataDir, {
      pid: process.pid,
      ...addresses,
      components: components.map(({ name, logFile }) => ({ name, logFile })),
    });
    let stopped: Promise<void> | undefined;
    return {
      ...addresses,
      components,
      ...(this.#options.advertise && { proxied: { kafka: ports.kafkaProxied } }),
      inside: {
        network,
        labels: this.#labels,
        addresses: {
          kafka: { brokers: [KAFKA_INSIDE] },
          registry: { url: REGISTRY_INSIDE },
          clickhouse: { url: CLICKHOUSE_INSIDE },
        },
      },
      component: (name) => componentNamed(components, name),
      stop() {
        stopped ??= release();
        return stopped;
      },
    };
  }
}
