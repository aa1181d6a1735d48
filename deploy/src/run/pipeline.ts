import { join } from 'node:path';
import { loadConfig, type PipelineConfig } from '@email-events/core/config';
import { PipelineError } from '@email-events/core/errors';
import { generateCredentials, type SenderCredentials } from '../simulate/credentials.ts';
import { createProvider, type Stack, selectProvider } from '../stack/index.ts';
import type { Lock } from '../stack/lock.ts';
import { type HomePaths, pathsOf, REPOSITORY } from './home.ts';
import { configuredPorts, crmSecret, localConfig, readBaseConfig, writeLocalConfig } from './local-config.ts';
import { chooseLocalPorts, type LocalPorts, movedPorts, USUAL_PORTS } from './ports.ts';
import { prepareComponents } from './prepare.ts';
import type { Reporter } from './reporter.ts';
import { ServiceProcess } from './service-process.ts';
import { SERVICE_NAMES, type ServiceName, serviceSpec } from './services.ts';
import { clearState, lockRun, type PipelineUrls, type RunState, writeState } from './state-file.ts';

export interface PipelineOptions {
  readonly home: string;
  /** Base of the configuration; default deploy/config/local.yaml. */
  readonly baseConfig?: string | undefined;
  readonly anyPorts: boolean;
  readonly reporter: Reporter;
  /** Calls off the start: everything that runs by then is stopped and the start rejects. */
  readonly signal: AbortSignal;
}

/** Everything running on this machine. */
export interface RunningPipeline {
  readonly paths: HomePaths;
  readonly config: PipelineConfig;
  readonly urls: PipelineUrls;
  /** The components, for whoever wants to break one. */
  readonly stack: Stack;
  /** Keys of the simulated ESPs. */
  readonly sender: SenderCredentials;
  /** Base URLs of the admin ports. */
  readonly admin: { readonly [name in ServiceName]?: string };
  /** In the order of the flow, each with its deadline; data stays. May be called twice. */
  stop(): Promise<void>;
  /** Ends what is still running at once. */
  kill(): void;
}

/**
 * Starts stack, topics, schemas, migrations and services. Leaves nothing running if it throws.
 * Throws RUN_ALREADY_RUNNING, RUN_SERVICE_FAILED, StackError, ConfigError …
 */
export async function startPipeline(options: PipelineOptions): Promise<RunningPipeline> {
  const paths = pathsOf(options.home);
  const lock = lockRun(paths);
  if (!lock)
    throw new PipelineError('RUN_ALREADY_RUNNING', 'fatal', `a pipeline runs on ${paths.home} already`);
  const starting = new Pipeline(options, paths, lock);
  try {
    return await starting.start();
  } catch (error) {
    await starting.stop();
    // Whatever failed then failed because everything was being stopped.
    options.signal.throwIfAborted();
    throw error;
  }
}

class Pipeline {
  readonly #options: PipelineOptions;
  readonly #paths: HomePaths;
  readonly #lock: Lock;
  readonly #startedAt = new Date().toISOString();
  readonly #services = new Map<ServiceName, ServiceProcess>();
  #phase: RunState['phase'] = 'starting';
  #stack: Stack | undefined;
  #urls: PipelineUrls | null = null;
  #stopped: Promise<void> | undefined;

  constructor(options: PipelineOptions, paths: HomePaths, lock: Lock) {
    this.#options = options;
    this.#paths = paths;
    this.#lock = lock;
  }

  async start(): Promise<RunningPipeline> {
    const { reporter, signal, anyPorts } = this.#options;
    const paths = this.#paths;
    this.#save();
    const base = readBaseConfig(this.#options.baseConfig ?? join(REPOSITORY, 'deploy/config/local.yaml'));
    const wishes = { fixed: configuredPorts(base), any: anyPorts };
    const ports = await chooseLocalPorts(wishes);
    if (!anyPorts) this.#tellMoved(ports, movedPorts(ports, wishes));
    const crm = crmSecret(paths.secrets);
    const settings = { paths, receiverPort: ports.receiver, crmSecret: crm.secret };
    const [credentials, stack] = await Promise.all([
      generateCredentials(join(paths.secrets, 'sources')),
      this.#startStack(ports),
    ]);
    const { sender, sources } = credentials;
    const addresses = { kafka: stack.kafka, registry: stack.registry, clickhouse: stack.clickhouse };
    const tree = localConfig({ base, paths, addresses, ports, sources, crmSecretFile: crm.file });
    writeLocalConfig(paths.configFile, tree);
    const config = loadConfig(paths.configFile);
    signal.throwIfAborted();
    await prepareComponents(config, reporter);
    signal.throwIfAborted();
    await this.#startServices(settings);
    signal.throwIfAborted();
    this.#phase = 'running';
    const urls = this.#findUrls(config, stack, ports);
    this.#urls = urls;
    this.#save();
    return {
      paths,
      config,
      urls,
      stack,
      sender,
      admin: this.#admin(),
      stop: () => this.stop(),
      kill: () => this.kill(),
    };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  kill(): void {
    for (const service of this.#services.values()) service.kill();
    for (const component of this.#stack?.components ?? []) component.kill().catch(() => {});
  }

  async #startStack(ports: LocalPorts): Promise<Stack> {
    const { reporter, signal } = this.#options;
    const provider = createProvider(selectProvider(process.env), process.env);
    const { kafka, kafkaController, registry, registryManagement, clickhouse } = ports;
    this.#stack = await provider.start({
      dataDir: this.#paths.stack,
      ports: { kafka, kafkaController, registry, registryManagement, clickhouse },
      onProgress: reporter.stack,
      signal,
    });
    for (const component of this.#stack.components) {
      component.onExit(({ code, signal: by }) => {
        reporter.warn(`${component.name} ended by itself (${by ?? code}); its log is ${component.logFile}`);
        this.#save();
      });
    }
    this.#save();
    return this.#stack;
  }

  /** All at once: each waits by itself for what it needs. */
  async #startServices(settings: Parameters<typeof serviceSpec>[1]): Promise<void> {
    const { reporter, signal } = this.#options;
    const callOff = () => {
      for (const service of this.#services.values()) if (service.state === 'starting') service.kill();
    };
    signal.addEventListener('abort', callOff);
    const starts = SERVICE_NAMES.map(async (name) => {
      const service = new ServiceProcess(serviceSpec(name, settings), (news) => {
        reporter.service(news);
        this.#save();
      });
      this.#services.set(name, service);
      await reporter.step(name, 'start', () => service.start());
      this.#save();
    });
    const failed = (await Promise.allSettled(starts)).find((result) => result.status === 'rejected');
    signal.removeEventListener('abort', callOff);
    if (failed) throw failed.reason;
  }

  async #stopAll(): Promise<void> {
    const { reporter } = this.#options;
    this.#phase = 'stopping';
    this.#save();
    for (const [name, service] of this.#inFlowOrder()) {
      if (service.state === 'stopped') continue;
      await reporter.step(name, 'stop', () => service.stop());
    }
    await this.#stack?.stop();
    clearState(this.#paths);
    this.#lock.release();
  }

  #inFlowOrder(): [ServiceName, ServiceProcess][] {
    return SERVICE_NAMES.flatMap((name) => {
      const service = this.#services.get(name);
      return service ? [[name, service] as [ServiceName, ServiceProcess]] : [];
    });
  }

  #tellMoved(ports: LocalPorts, moved: readonly (keyof LocalPorts)[]): void {
    for (const name of moved) {
      this.#options.reporter.warn(`port ${USUAL_PORTS[name]} for ${name} is in use: took ${ports[name]}`);
    }
  }

  #findUrls(config: PipelineConfig, stack: Stack, ports: LocalPorts): PipelineUrls {
    const ingress = `http://127.0.0.1:${this.#services.get('ingress')?.ports.http ?? config.ingress.port}`;
    const webhooks = Object.keys(config.sources).map((name) => [
      name,
      `${ingress}/webhooks/email-events/${name}`,
    ]);
    return {
      ingress,
      webhooks: Object.fromEntries(webhooks),
      kafka: stack.kafka.brokers.join(','),
      registry: stack.registry.url,
      clickhouse: stack.clickhouse.url,
      receiver: `http://127.0.0.1:${ports.receiver}`,
    };
  }

  #admin(): { [name in ServiceName]?: string } {
    const found = this.#inFlowOrder().flatMap(([name, { ports }]) =>
      ports.admin === undefined ? [] : [[name, `http://127.0.0.1:${ports.admin}`]],
    );
    return Object.fromEntries(found);
  }

  /** For `status` and `down` in other terminals. */
  #save(): void {
    const admin = this.#admin();
    const services = this.#inFlowOrder().map(([name, service]) => ({
      name,
      state: service.state,
      pid: service.pid ?? null,
      restarts: service.restarts,
      adminUrl: admin[name] ?? null,
      logFile: service.spec.logFile,
    }));
    const components = (this.#stack?.components ?? []).map(({ name, state, pid, logFile }) => ({
      name,
      state,
      pid: pid ?? null,
      address: addressOf(name, this.#stack as Stack),
      logFile,
    }));
    writeState(this.#paths, {
      pid: process.pid,
      phase: this.#phase,
      startedAt: this.#startedAt,
      configFile: this.#paths.configFile,
      urls: this.#urls,
      services,
      components,
    });
  }
}

function addressOf(name: Stack['components'][number]['name'], stack: Stack): string {
  return name === 'kafka' ? stack.kafka.brokers.join(',') : stack[name].url;
}
