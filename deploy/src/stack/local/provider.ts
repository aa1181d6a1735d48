import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StackError } from '../errors.ts';
import { tryLock } from '../lock.ts';
import { choosePorts } from '../ports.ts';
import { type ProgressListener, withProgress } from '../progress.ts';
import type { Component, ComponentName, Stack, StackOptions, StackPorts, StackProvider } from '../stack.ts';
import { readVersions } from '../versions.ts';
import { classArchive } from './class-archive.ts';
import { prepareClickhouse } from './clickhouse.ts';
import { type InstallContext, installKafka, installRegistry } from './install.ts';
import { installJava, type Java } from './java.ts';
import { prepareKafka } from './kafka.ts';
import { ManagedProcess, type ProcessSpec } from './managed-process.ts';
import { prepareRegistry, registryUrl } from './registry.ts';
import { clearRunning, lockFile, writeRunning } from './running.ts';
import { startWatchdog, type Watchdog } from './watch.ts';

const TOOLS_DIR = fileURLToPath(new URL('../../../../.email-events/tools', import.meta.url));
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
  /** Aborts when the caller's signal does, and when one component fails, so that the others do not go on. */
  readonly #abort = new AbortController();
  readonly #components: ManagedProcess[] = [];

  constructor(options: StackOptions, toolsDir: string) {
    this.#options = options;
    this.#dataDir = resolve(options.dataDir);
    this.#progress = options.onProgress ?? (() => {});
    this.#toolsDir = toolsDir;
  }

  async run(): Promise<Stack> {
    const lock = tryLock(lockFile(this.#dataDir));
    if (!lock) throw new StackError('STACK_IN_USE', `another process runs a stack on ${this.#dataDir}`);
    const watchdog = startWatchdog();
    const release = async () => {
      await this.#stopAll();
      await watchdog.close();
      clearRunning(this.#dataDir);
      lock.release();
    };
    const onAbort = () => this.#abort.abort();
    this.#options.signal?.addEventListener('abort', onAbort, { once: true });
    if (this.#options.signal?.aborted) onAbort();
    try {
      const ports = await this.#ports();
      await this.#startAll(ports, watchdog);
      return this.#stack(ports, release);
    } catch (error) {
      await release();
      throw error;
    } finally {
      this.#options.signal?.removeEventListener('abort', onAbort);
    }
  }

  async #ports(): Promise<Ports> {
    const remembered = readPorts(this.#portsFile);
    const requests = Object.fromEntries(
      PORT_NAMES.map((name) => [name, { fixed: this.#options.ports?.[name], preferred: remembered[name] }]),
    ) as Record<keyof Ports, { fixed: number | undefined; preferred: number | undefined }>;
    const ports = await choosePorts(requests);
    await mkdir(this.#dataDir, { recursive: true });
    await writeFile(this.#portsFile, JSON.stringify(ports));
    return ports;
  }

  get #portsFile(): string {
    return join(this.#dataDir, 'ports.json');
  }

  /** All at once: each component starts as soon as its own programs are there. */
  async #startAll(ports: Ports, watchdog: Watchdog): Promise<void> {
    const { signal } = this.#abort;
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
    await this.#allOrFirstFailure(starts);
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
      await component.start(this.#abort.signal);
    });
  }

  /** Waits for all, so that nothing is started behind the back of the clean-up, and throws what failed first. */
  async #allOrFirstFailure(starts: readonly Promise<void>[]): Promise<void> {
    let first: { readonly error: unknown } | undefined;
    const watched = starts.map((start) =>
      start.catch((error) => {
        first ??= { error };
        this.#abort.abort();
      }),
    );
    await Promise.all(watched);
    if (!first) return;
    if (!this.#options.signal?.aborted) throw first.error;
    throw new StackError('STACK_ABORTED', 'the start was called off', { cause: first.error });
  }

  /** Clients of Kafka first, were there any; these three do not know each other, so together. */
  async #stopAll(): Promise<void> {
    const running = this.#components.filter((component) => component.state !== 'stopped');
    await Promise.all(
      running.map((component) =>
        withProgress(this.#progress, { component: component.name, step: 'stop' }, () => component.stop()),
      ),
    );
  }

  #stack(ports: Ports, release: () => Promise<void>): Stack {
    const addresses = {
      kafka: { brokers: [`127.0.0.1:${ports.kafka}`] },
      registry: { url: registryUrl(ports.registry) },
      clickhouse: { url: `http://127.0.0.1:${ports.clickhouse}` },
    };
    const components: readonly Component[] = this.#components;
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
      component: (name) => {
        const found = components.find((component) => component.name === name);
        if (!found) throw new StackError('STACK_COMPONENT_STATE', `there is no component ${name}`);
        return found;
      },
      stop() {
        stopped ??= release();
        return stopped;
      },
    };
  }
}

/** What the last run used; an unreadable file only means other ports. */
function readPorts(path: string): StackPorts {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}
