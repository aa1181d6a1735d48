import { basename, join, resolve } from 'node:path';
import {
  brokerCount,
  brokerNames,
  brokerPorts,
  nodeIdOf,
  portName,
  proxiedPorts,
  Quorum,
} from '../brokers.ts';
import { portsOf } from '../data-dir.ts';
import { type ProgressListener, withProgress } from '../progress.ts';
import type {
  BrokerName,
  ComponentName,
  KafkaStack,
  PortName,
  Stack,
  StackOptions,
  StackProvider,
} from '../stack.ts';
import { allOrFirstFailure, controlOf, startedStack, stopAll, takeDataDir } from '../starting.ts';
import { readVersions, TOOLS_DIR } from '../versions.ts';
import { type ProcessWatchdog, watchProcesses } from '../watchdog.ts';
import { type InstallContext, installJava, installKafka, installRegistry, type Java } from './install.ts';
import { type BrokerPlace, prepareKafka } from './kafka.ts';
import { ProcessComponent, type ProcessSpec } from './process-component.ts';
import { type ClassArchive, classArchive, prepareClickhouse, prepareRegistry, registryUrl } from './specs.ts';

const BROKER_PORTS = ['kafka', 'kafkaController', 'kafkaProxied'] as const;
const OTHER_PORTS = ['registry', 'registryManagement', 'clickhouse'] as const;
type Ports = Readonly<Record<PortName, number>>;

/** Components as processes of this machine. `toolsDir`: where their programs are kept, `.email-events/tools` by default. */
export function localProvider(toolsDir: string = TOOLS_DIR): StackProvider {
  return {
    start: async (options) => new LocalStart(options, toolsDir).run(),
    startKafka: async (options) => new LocalStart(options, toolsDir).runKafka(),
  };
}

/** One start, from the lock to the stack, which undoes what it did if any of it fails. */
class LocalStart {
  readonly #options: StackOptions;
  readonly #dataDir: string;
  readonly #progress: ProgressListener;
  readonly #brokers: readonly BrokerName[];
  readonly #context: InstallContext;
  /** Aborts when one component fails, so that the others do not go on. */
  readonly #failure = new AbortController();
  /** Aborts then, and when the caller's does. */
  readonly #signal: AbortSignal;
  readonly #components: ProcessComponent[] = [];

  constructor(options: StackOptions, toolsDir: string) {
    this.#options = options;
    this.#dataDir = resolve(options.dataDir);
    this.#progress = options.onProgress ?? (() => {});
    this.#brokers = brokerNames(brokerCount(options));
    this.#signal = AbortSignal.any([this.#failure.signal, ...(options.signal ? [options.signal] : [])]);
    this.#context = {
      toolsDir,
      versions: readVersions(),
      onProgress: this.#progress,
      signal: this.#signal,
    };
  }

  /** All at once: each component starts as soon as its own programs are there. */
  run(): Promise<Stack> {
    return this.#undone(OTHER_PORTS, async (ports, watchdog, release) => {
      const java = installJava(this.#context);
      await this.#all([
        this.#startClickhouse(ports, watchdog),
        this.#startKafka(ports, watchdog, java),
        this.#startRegistry(ports, watchdog, java),
      ]);
      const addresses = {
        kafka: this.#kafka(ports),
        registry: { url: registryUrl(ports.registry) },
        clickhouse: { url: `http://127.0.0.1:${ports.clickhouse}` },
      };
      const stack = startedStack(this.#dataDir, addresses, this.#components, release);
      return { ...stack, ...this.#proxied(ports) };
    });
  }

  runKafka(): Promise<KafkaStack> {
    return this.#undone([], async (ports, watchdog, release) => {
      await this.#startKafka(ports, watchdog, installJava(this.#context));
      return { kafka: this.#kafka(ports), ...controlOf(this.#components, release), ...this.#proxied(ports) };
    });
  }

  /** On the data directory, which is given back when `start` fails, or by what it is to be stopped with. */
  async #undone<T>(
    others: readonly PortName[],
    start: (ports: Ports, watchdog: ProcessWatchdog, release: () => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const finish = takeDataDir(this.#dataDir);
    const watchdog = watchProcesses();
    const release = () =>
      finish(async () => {
        await stopAll(this.#components, this.#progress);
        await watchdog.close();
      });
    try {
      const names = [...brokerPorts(BROKER_PORTS, this.#brokers), ...others];
      return await start(await portsOf(this.#dataDir, names, this.#options.ports), watchdog, release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #startClickhouse(ports: Ports, watchdog: ProcessWatchdog): Promise<void> {
    const spec = await prepareClickhouse({ ...this.#place('clickhouse'), port: ports.clickhouse });
    await this.#startOne(spec, watchdog);
  }

  async #startKafka(ports: Ports, watchdog: ProcessWatchdog, java: Promise<Java>): Promise<void> {
    const [runtime, jars] = await Promise.all([java, installKafka(this.#context)]);
    const archive = this.#archive(jars, runtime);
    const brokers = this.#brokers.map((name) => this.#broker(name, ports));
    const quorum = new Quorum(brokers.length);
    const specs = await prepareKafka({
      ...{ java: runtime.file, jars, archive, brokers, quorum },
      install: this.#context,
    });
    const startOne = (spec: ProcessSpec) =>
      this.#startOne(spec, watchdog, (component) => quorum.add(component));
    // Together: none of them answers before most of them run.
    await this.#all(specs.map(startOne));
  }

  #broker(name: BrokerName, ports: Ports): BrokerPlace {
    const nodeId = nodeIdOf(name);
    const advertised = this.#options.advertise?.kafka[nodeId - 1];
    const proxied =
      advertised === undefined ? undefined : { port: ports[portName('kafkaProxied', name)], advertised };
    return {
      ...{ name, nodeId, proxied, secured: this.#options.secured },
      ...this.#place(name),
      port: ports[portName('kafka', name)],
      controllerPort: ports[portName('kafkaController', name)],
    };
  }

  async #startRegistry(ports: Ports, watchdog: ProcessWatchdog, java: Promise<Java>): Promise<void> {
    const [runtime, app] = await Promise.all([java, installRegistry(this.#context)]);
    const archive = this.#archive(app, runtime);
    const { registry: port, registryManagement: managementPort } = ports;
    const common = { java: runtime.file, archive, ...this.#place('registry') };
    await this.#startOne(await prepareRegistry({ ...common, app, port, managementPort }), watchdog);
  }

  async #startOne(
    spec: ProcessSpec,
    watchdog: ProcessWatchdog,
    made: (component: ProcessComponent) => void = () => {},
  ): Promise<void> {
    await withProgress(this.#progress, { component: spec.name, step: 'start' }, async () => {
      const component = new ProcessComponent(spec, watchdog);
      this.#components.push(component);
      made(component);
      await component.start(this.#signal);
    });
  }

  async #all(starts: readonly Promise<void>[]): Promise<void> {
    await allOrFirstFailure(starts, this.#failure, this.#options.signal);
  }

  #place(name: ComponentName) {
    return { dataDir: join(this.#dataDir, name), logFile: join(this.#dataDir, 'logs', `${name}.log`) };
  }

  #archive(program: string, runtime: Java): ClassArchive {
    return classArchive(this.#context.toolsDir, `${basename(program)}-${runtime.id}`);
  }

  #kafka(ports: Ports): Stack['kafka'] {
    return { brokers: this.#brokers.map((name) => `127.0.0.1:${ports[portName('kafka', name)]}`) };
  }

  #proxied(ports: Ports): Pick<Stack, 'proxied'> {
    return this.#options.advertise ? { proxied: { kafka: proxiedPorts(ports, this.#brokers) } } : {};
  }
}
