import { basename, join, resolve } from 'node:path';
import { portsOf } from '../data-dir.ts';
import { type ProgressListener, withProgress } from '../progress.ts';
import type { ComponentName, Stack, StackOptions, StackProvider } from '../stack.ts';
import { allOrFirstFailure, startedStack, stopAll, takeDataDir } from '../starting.ts';
import { TOOLS_DIR } from '../tools-dir.ts';
import { readVersions } from '../versions.ts';
import { classArchive } from './class-archive.ts';
import { prepareClickhouse } from './clickhouse.ts';
import { type InstallContext, installKafka, installRegistry } from './install.ts';
import { installJava, type Java } from './java.ts';
import { prepareKafka } from './kafka.ts';
import { ManagedProcess, type ProcessSpec } from './managed-process.ts';
import { prepareRegistry, registryUrl } from './registry.ts';
import { startWatchdog, type Watchdog } from './watch.ts';

const PORT_NAMES = [
  'kafka',
  'kafkaController',
  'kafkaProxied',
  'registry',
  'registryManagement',
  'clickhouse',
] as const;
type Ports = Record<(typeof PORT_NAMES)[number], number>;

/** Components as processes of this machine. `toolsDir`: where their programs are kept, `.email-events/tools` by default. */
export function localProvider(toolsDir: string = TOOLS_DIR): StackProvider {
  return { start: (options) => new LocalStart(options, toolsDir).run() };
}

/** One start, from the lock to the stack, which undoes what it did if any of it fails. */
class LocalStart {
  readonly #options: StackOptions;
  readonly #dataDir: string;
  readonly #progress: ProgressListener;
  readonly #toolsDir: string;
  /** Aborts when one component fails, so that the others do not go on. */
  readonly #failure = new AbortController();
  /** Aborts then, and when the caller's does. */
  readonly #signal: AbortSignal;
  readonly #components: ManagedProcess[] = [];

  constructor(options: StackOptions, toolsDir: string) {
    this.#options = options;
    this.#dataDir = resolve(options.dataDir);
    this.#progress = options.onProgress ?? (() => {});
    this.#toolsDir = toolsDir;
    this.#signal = AbortSignal.any([this.#failure.signal, ...(options.signal ? [options.signal] : [])]);
  }

  async run(): Promise<Stack> {
    const finish = takeDataDir(this.#dataDir);
    const watchdog = startWatchdog();
    const release = () =>
      finish(async () => {
        await stopAll(this.#components, this.#progress);
        await watchdog.close();
      });
    try {
      const ports = await portsOf(this.#dataDir, PORT_NAMES, this.#options.ports);
      await this.#startAll(ports, watchdog);
      return this.#stack(ports, release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** All at once: each component starts as soon as its own programs are there. */
  async #startAll(ports: Ports, watchdog: Watchdog): Promise<void> {
    const signal = this.#signal;
    const context: InstallContext = {
      toolsDir: this.#toolsDir,
      versions: readVersions(),
      onProgress: this.#progress,
      signal,
    };
    const java = installJava(context);
    const archiveOf = (program: string, runtime: Java) =>
      classArchive(this.#toolsDir, `${basename(program)}-${runtime.id}`);
    const place = (name: ComponentName) => ({
      dataDir: join(this.#dataDir, name),
      logFile: join(this.#dataDir, 'logs', `${name}.log`),
    });
    const starts = [
      this.#startOne('clickhouse', watchdog, () =>
        prepareClickhouse({ ...place('clickhouse'), port: ports.clickhouse }),
      ),
      this.#startOne('kafka', watchdog, async () => {
        const [runtime, jars] = await Promise.all([java, installKafka(context)]);
        const { kafka: port, kafkaController: controllerPort } = ports;
        const archive = archiveOf(jars, runtime);
        const common = { java: runtime.file, archive, ...place('kafka') };
        const advertised = this.#options.advertise?.kafka;
        const proxied = advertised === undefined ? undefined : { port: ports.kafkaProxied, advertised };
        return prepareKafka({ ...common, jars, port, controllerPort, proxied, signal });
      }),
      this.#startOne('registry', watchdog, async () => {
        const [runtime, app] = await Promise.all([java, installRegistry(context)]);
        const { registry: port, registryManagement: managementPort } = ports;
        const archive = archiveOf(app, runtime);
        const common = { java: runtime.file, archive, ...place('registry') };
        return prepareRegistry({ ...common, app, port, managementPort });
      }),
    ];
    await allOrFirstFailure(starts, this.#failure, this.#options.signal);
  }

  async #startOne(
    name: ComponentName,
    watchdog: Watchdog,
    prepare: () => Promise<ProcessSpec>,
  ): Promise<void> {
    const spec = await prepare();
    await withProgress(this.#progress, { component: name, step: 'start' }, async () => {
      const component = new ManagedProcess(spec, watchdog);
      this.#components.push(component);
      await component.start(this.#signal);
    });
  }

  #stack(ports: Ports, release: () => Promise<void>): Stack {
    const addresses = {
      kafka: { brokers: [`127.0.0.1:${ports.kafka}`] },
      registry: { url: registryUrl(ports.registry) },
      clickhouse: { url: `http://127.0.0.1:${ports.clickhouse}` },
    };
    return {
      ...startedStack(this.#dataDir, addresses, this.#components, release),
      ...(this.#options.advertise && { proxied: { kafka: ports.kafkaProxied } }),
    };
  }
}
