import { join } from 'node:path';
import { type HomePaths, pathsOf, REPOSITORY } from '@email-events/cli/home';
import type { PipelineConfig } from '@email-events/cli/services';
import {
  clearState,
  lockRun,
  type PipelineUrls,
  type RunState,
  writeState,
} from '@email-events/cli/state-file';
import { PipelineError } from '@email-events/core/errors';
import { generateCredentials, type SenderCredentials } from '../simulate/credentials.ts';
import type { Lock } from '../stack/data-dir.ts';
import { createProvider, type Stack, type StackProvider, selectProvider } from '../stack/index.ts';
import { configuredPorts, crmSecret, lookupToken, readBaseConfig } from './local-config.ts';
import { chooseLocalPorts, type LocalPorts, movedPorts, USUAL_PORTS } from './ports.ts';
import { chooseFleet, prepareComponents } from './prepare.ts';
import type { Reporter } from './reporter.ts';
import { type ServiceFleet, stopServices } from './service-fleet.ts';
import { namesOf, SERVICE_NAMES, type ServiceMode, type ServiceName, selectServices } from './services.ts';
import { componentStatuses, pipelineUrls, serviceStatuses } from './snapshot.ts';
import type { Service } from './supervisor.ts';

export interface PipelineOptions {
  readonly home: string;
  /** Base of the configuration; default deploy/config/local.yaml. */
  readonly baseConfig?: string | undefined;
  readonly anyPorts: boolean;
  /** Of the components; default: the one that STACK names. */
  readonly provider?: StackProvider | undefined;
  /** Services as processes or containers; default: as SERVICES says. Containers need a stack in containers. */
  readonly services?: ServiceMode | undefined;
  readonly reporter: Reporter;
  /** Calls off the start: everything that runs by then is stopped and the start rejects. */
  readonly signal: AbortSignal;
}

/** Everything running on this machine. */
export interface RunningPipeline {
  readonly paths: HomePaths;
  readonly config: PipelineConfig;
  readonly urls: PipelineUrls;
  /** The components, for tests that break one. */
  readonly stack: Stack;
  /** Keys of the simulated ESPs. */
  readonly sender: SenderCredentials;
  /** Base URLs of the admin ports. */
  readonly admin: { readonly [name in ServiceName]?: string };
  /** PEM file that HTTPS clients of the URLs have to trust, as this process does; undefined: there is no need. */
  readonly certificate: string | undefined;
  /** For tests that break one. */
  service(name: ServiceName): Service;
  /** In the order of the flow, each with its deadline; data stays. May be called twice. */
  stop(): Promise<void>;
  /** Ends what is still running at once. */
  kill(): void;
}

/**
 * Starts stack, topics, schemas, migrations and services. Leaves nothing running if it throws.
 * Throws RUN_ALREADY_RUNNING, RUN_SERVICE_FAILED, RUN_SERVICES_UNAVAILABLE, StackError, ConfigError …
 */
export async function startPipeline(options: PipelineOptions): Promise<RunningPipeline> {
  const paths = pathsOf(options.home);
  const mode = options.services ?? selectServices(process.env);
  const lock = lockRun(paths);
  if (!lock)
    throw new PipelineError('RUN_ALREADY_RUNNING', 'fatal', `a pipeline runs on ${paths.home} already`);
  const starting = new Pipeline(options, mode, paths, lock);
  try {
    return await starting.start();
  } catch (error) {
    await starting.stop().catch(({ message }) => options.reporter.warn(`not stopped: ${message}`));
    // After an abort, the cause of the failure is that everything was being stopped.
    options.signal.throwIfAborted();
    throw error;
  }
}

class Pipeline {
  readonly #options: PipelineOptions;
  readonly #paths: HomePaths;
  readonly #lock: Lock;
  readonly #startedAt = new Date().toISOString();
  readonly #services = new Map<ServiceName, Service>();
  readonly #mode: ServiceMode;
  #phase: RunState['phase'] = 'starting';
  #stack: Stack | undefined;
  #fleet: ServiceFleet | undefined;
  #urls: PipelineUrls | null = null;
  #stopped: Promise<void> | undefined;

  constructor(options: PipelineOptions, mode: ServiceMode, paths: HomePaths, lock: Lock) {
    this.#options = options;
    this.#mode = mode;
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
    const lookupTokenFile = lookupToken(paths.secrets);
    const credentials = generateCredentials(join(paths.secrets, 'sources'));
    // Awaited only once there is a stack, which has to be stopped then.
    credentials.catch(() => {});
    const makeFleet = await chooseFleet(this.#mode, this.#options);
    const stack = await this.#startStack(ports);
    const { sender, sources } = await credentials;
    const addresses = { kafka: stack.kafka, registry: stack.registry, clickhouse: stack.clickhouse };
    const fleet = await makeFleet({ base, paths, addresses, ports, sources, crm, lookupTokenFile }, stack);
    this.#fleet = fleet;
    const { config } = fleet;
    signal.throwIfAborted();
    await prepareComponents(config, reporter);
    signal.throwIfAborted();
    await this.#startServices(fleet);
    signal.throwIfAborted();
    this.#phase = 'running';
    const ingressPort = this.#service('ingress').ports.http ?? config.ingress.port;
    const urls = pipelineUrls(fleet, stack, { ingress: ingressPort, receiver: ports.receiver });
    this.#urls = urls;
    this.#save();
    return {
      paths,
      config,
      urls,
      stack,
      sender,
      admin: this.#admin(),
      certificate: fleet.certificate?.certFile,
      service: (name) => this.#service(name),
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
    const provider = this.#options.provider ?? createProvider(selectProvider(process.env), process.env);
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
  async #startServices(fleet: ServiceFleet): Promise<void> {
    const { reporter, signal } = this.#options;
    const callOff = () => {
      for (const service of this.#services.values()) if (service.state === 'starting') service.kill();
    };
    signal.addEventListener('abort', callOff);
    const starts = namesOf(fleet.config).map(async (name) => {
      const service = fleet.create(name, (news) => {
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
    this.#phase = 'stopping';
    this.#save();
    try {
      await stopServices(this.#inFlowOrder(), this.#options.reporter);
      await this.#stack?.stop();
    } finally {
      clearState(this.#paths);
      this.#lock.release();
    }
  }

  #inFlowOrder(): [ServiceName, Service][] {
    return SERVICE_NAMES.flatMap((name) => {
      const service = this.#services.get(name);
      return service ? [[name, service] as [ServiceName, Service]] : [];
    });
  }

  #service(name: ServiceName): Service {
    const service = this.#services.get(name);
    if (!service) throw new PipelineError('RUN_NOT_RUNNING', 'fatal', `there is no service ${name}`);
    return service;
  }

  #tellMoved(ports: LocalPorts, moved: readonly (keyof LocalPorts)[]): void {
    for (const name of moved) {
      this.#options.reporter.warn(`port ${USUAL_PORTS[name]} for ${name} is in use: took ${ports[name]}`);
    }
  }

  #admin(): { [name in ServiceName]?: string } {
    const host = this.#fleet?.host ?? '127.0.0.1';
    const found = this.#inFlowOrder().flatMap(([name, { ports }]) =>
      ports.admin === undefined ? [] : [[name, `http://${host}:${ports.admin}`]],
    );
    return Object.fromEntries(found);
  }

  /** For `status` and `down` in other terminals. */
  #save(): void {
    writeState(this.#paths, {
      pid: process.pid,
      phase: this.#phase,
      startedAt: this.#startedAt,
      configFile: this.#paths.configFile,
      certificate: this.#fleet?.certificate?.certFile ?? null,
      urls: this.#urls,
      services: serviceStatuses(this.#inFlowOrder(), this.#admin()),
      components: componentStatuses(this.#stack),
    });
  }
}

export interface Session {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Resolves when the first one comes. */
  readonly asked: Promise<void>;
}

/**
 * A pipeline around some work: starts it, does the work, and stops it even if the work fails. The first Ctrl-C (or SIGTERM)
 * calls the work off and stops in order; the second one ends everything at once.
 */
export async function withPipeline<T>(
  options: Omit<PipelineOptions, 'signal'>,
  work: (pipeline: RunningPipeline, session: Session) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  let pipeline: RunningPipeline | undefined;
  let times = 0;
  const interrupt = () => {
    times++;
    if (times === 1) {
      options.reporter.warn('stopping; once more to stop at once');
      abort.abort();
      resolve();
    } else pipeline?.kill();
  };
  // A pipeline that runs must outlive nothing by accident: a closed terminal stops it too.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    pipeline = await startPipeline({ ...options, signal: abort.signal });
    return await work(pipeline, { signal: abort.signal, asked });
  } finally {
    await pipeline?.stop();
    for (const name of signals) process.off(name, interrupt);
  }
}
