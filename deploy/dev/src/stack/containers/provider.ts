import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import {
  brokerCount,
  brokerNames,
  clusterId,
  isBroker,
  proxiedPorts,
  Quorum,
  requireSameCluster,
} from '../brokers.ts';
import { portsOf } from '../data-dir.ts';
import { type ProgressListener, withProgress } from '../progress.ts';
import type { BrokerName, ComponentName, KafkaStack, Stack, StackOptions, StackProvider } from '../stack.ts';
import { allOrFirstFailure, controlOf, startedStack, stopAll, takeDataDir } from '../starting.ts';
import { type ContainersWatchdog, watchContainers } from '../watchdog.ts';
import { ContainerComponent } from './container-component.ts';
import { connectEngine, type Engine } from './engine.ts';
import { provideImage } from './images/choose.ts';
import { makeContainer } from './make-container.ts';
import {
  createNetwork,
  findKept,
  type KeptStack,
  type Labels,
  networkName,
  PORTS_LABEL,
  removeStack,
  stackLabels,
  sweep,
} from './ownership.ts';
import {
  addressesInside,
  addressesOutside,
  brokersOutside,
  type ContainerSpec,
  keyOf,
  OTHERS,
  type Ports,
  portNames,
  specOf,
} from './specs.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Of the data: those of local processes are laid out otherwise, and neither is to start on the other's. */
const FOLDER = 'containers';

/** Decisions about a stack that are made before its containers. */
interface Plan {
  readonly engine: Engine;
  readonly stackId: string;
  readonly labels: Labels;
  readonly ports: Ports;
}

/** Components as containers, by testcontainers. `env` may name other images, see images/choose.ts. */
export function containersProvider(env: Environment): StackProvider {
  return {
    start: async (options) => new ContainerStart(options, env).run(),
    startKafka: async (options) => new ContainerStart(options, env).runKafka(),
  };
}

/** One start, from the lock to the stack, which undoes what it did if any of it fails. */
class ContainerStart {
  readonly #options: StackOptions;
  readonly #env: Environment;
  readonly #dataDir: string;
  readonly #progress: ProgressListener;
  /** Aborts when one component fails, so that the others do not go on. */
  readonly #failure = new AbortController();
  /** Aborts then, and when the caller's does. */
  readonly #signal: AbortSignal;
  readonly #components: ContainerComponent[] = [];
  readonly #brokers: readonly BrokerName[];
  #quorum: Quorum;
  #plan: Plan | undefined;
  #watchdog: ContainersWatchdog | undefined;

  constructor(options: StackOptions, env: Environment) {
    this.#options = options;
    this.#env = env;
    this.#dataDir = resolve(options.dataDir);
    this.#progress = options.onProgress ?? (() => {});
    this.#brokers = brokerNames(brokerCount(options));
    this.#quorum = new Quorum(this.#brokers.length);
    this.#signal = AbortSignal.any([this.#failure.signal, ...(options.signal ? [options.signal] : [])]);
  }

  run(): Promise<Stack> {
    return this.#run([...this.#brokers, ...OTHERS], ({ engine, stackId, labels, ports }, stop) => {
      const addresses = addressesOutside(engine.host, ports, this.#brokers);
      return {
        ...startedStack(this.#dataDir, addresses, this.#components, stop),
        ...this.#proxied(ports),
        inside: { network: networkName(stackId), labels, addresses: addressesInside(this.#brokers) },
      };
    });
  }

  runKafka(): Promise<KafkaStack> {
    return this.#run(this.#brokers, ({ engine, ports }, stop) => ({
      kafka: brokersOutside(engine.host, ports, this.#brokers),
      ...controlOf(this.#components, stop),
      ...this.#proxied(ports),
    }));
  }

  async #run<T>(
    names: readonly ComponentName[],
    made: (plan: Plan, stop: () => Promise<void>) => T,
  ): Promise<T> {
    const finish = takeDataDir(this.#dataDir);
    try {
      for (const broker of this.#brokers)
        requireSameCluster(this.#folder(broker), clusterId('ctr', this.#brokers.length));
      const engine = await connectEngine();
      await sweep(engine, { claimed: this.#dataDir });
      this.#plan = (await this.#adoptKept(engine, names)) ?? (await this.#startNew(engine, names));
      return made(this.#plan, () =>
        finish(this.#options.reuse ? async () => this.#leave() : () => this.#remove()),
      );
    } catch (error) {
      // Why it did not start matters more than what could not be removed, which the next start sweeps.
      await finish(() => this.#remove()).catch(() => {});
      throw error;
    }
  }

  /** Takes over what an earlier run left, if that is wanted and all of it fits; what does not fit is removed. */
  async #adoptKept(engine: Engine, names: readonly ComponentName[]): Promise<Plan | undefined> {
    const kept = await findKept(engine, this.#dataDir);
    if (!kept) return undefined;
    const { stackId, labels, ports } = kept;
    if (this.#options.reuse && this.#wants(names, ports) && (await this.#adoptAll(engine, names, kept)))
      return { engine, stackId, labels, ports };
    for (const component of this.#components.splice(0)) component.release();
    this.#quorum = new Quorum(this.#brokers.length);
    await removeStack(engine, stackId);
    return undefined;
  }

  #wants(names: readonly ComponentName[], ports: Ports): boolean {
    const { ports: wished = {} } = this.#options;
    return portNames(names).every((name) => wished[name] === undefined || wished[name] === ports[name]);
  }

  async #adoptAll(
    engine: Engine,
    names: readonly ComponentName[],
    { containers, ports }: KeptStack,
  ): Promise<boolean> {
    const adopted = names.map(async (name) => {
      const image = await this.#image(engine, name);
      const { Id: imageId } = await engine.docker.getImage(image).inspect();
      const spec = this.#spec(name, image, engine, ports);
      const key = keyOf(spec, imageId);
      const fits = containers.find((one) => one.name === name && one.running && one.key === key);
      if (!fits) return false;
      const component = this.#component(name, spec, engine);
      return component.adopt(fits.id);
    });
    const all = await allOrFirstFailure(adopted, this.#failure, this.#options.signal);
    return all.every(Boolean);
  }

  async #startNew(engine: Engine, names: readonly ComponentName[]): Promise<Plan> {
    const ports = await portsOf(this.#dataDir, portNames(names), this.#options.ports);
    const stackId = randomBytes(6).toString('hex');
    const { reuse = false } = this.#options;
    const labels = { ...stackLabels(stackId, this.#dataDir, reuse), [PORTS_LABEL]: JSON.stringify(ports) };
    const plan = { engine, stackId, labels, ports };
    this.#plan = plan;
    this.#watchdog = watchContainers(stackId);
    await createNetwork(engine, stackId, labels);
    const starts = names.map((name) => this.#startOne(plan, name));
    // All at once: each component starts as soon as its own image is there.
    await allOrFirstFailure(starts, this.#failure, this.#options.signal);
    // From here on they are meant to outlive their owner.
    if (reuse) await this.#dismissWatchdog();
    return plan;
  }

  async #startOne({ engine, stackId, labels, ports }: Plan, name: ComponentName): Promise<void> {
    const image = await this.#image(engine, name);
    const signal = this.#signal;
    const spec = this.#spec(name, image, engine, ports);
    await withProgress(this.#progress, { component: name, step: 'start', detail: image }, async () => {
      const component = this.#component(name, spec, engine);
      const dataDir = this.#folder(name);
      const place = { engine, labels, network: networkName(stackId), dataDir };
      await component.create((steps) => makeContainer(place, spec, steps), signal);
    });
  }

  #folder(name: ComponentName): string {
    return join(this.#dataDir, FOLDER, name);
  }

  #spec(name: ComponentName, image: string, engine: Engine, ports: Ports): ContainerSpec {
    const { advertise } = this.#options;
    const dataDir = this.#folder(name);
    const cluster = { brokers: this.#brokers, quorum: this.#quorum };
    return specOf(name, { image, engine, ports, advertise, dataDir, ...cluster });
  }

  #component(name: ComponentName, spec: ContainerSpec, engine: Engine): ContainerComponent {
    const component = new ContainerComponent(spec, engine, join(this.#dataDir, 'logs', `${name}.log`));
    this.#components.push(component);
    if (isBroker(name)) this.#quorum.add(component);
    return component;
  }

  async #image(engine: Engine, name: ComponentName): Promise<string> {
    const signal = this.#signal;
    signal.throwIfAborted();
    const context = { engine, env: this.#env, onProgress: this.#progress, signal };
    return (await provideImage(isBroker(name) ? 'kafka' : name, context)).reference;
  }

  #leave(): void {
    for (const component of this.#components) component.release();
  }

  async #remove(): Promise<void> {
    try {
      await stopAll(this.#components, this.#progress);
    } finally {
      if (this.#plan) await removeStack(this.#plan.engine, this.#plan.stackId);
      await this.#dismissWatchdog();
    }
  }

  async #dismissWatchdog(): Promise<void> {
    await this.#watchdog?.close();
    this.#watchdog = undefined;
  }

  #proxied(ports: Ports): Pick<Stack, 'proxied'> {
    return this.#options.advertise ? { proxied: { kafka: proxiedPorts(ports, this.#brokers) } } : {};
  }
}
