import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig, type PipelineConfig } from '@email-events/core';
import { type HomePaths, pathsOf } from '@email-events/deploy/run/home';
import {
  type ConfigTree,
  crmSecret,
  localConfig,
  writeLocalConfig,
} from '@email-events/deploy/run/local-config';
import { chooseLocalPorts } from '@email-events/deploy/run/ports';
import { prepareComponents } from '@email-events/deploy/run/prepare';
import { createReporter } from '@email-events/deploy/run/reporter';
import { lastReason } from '@email-events/deploy/run/service-log';
import { serviceSpec } from '@email-events/deploy/run/services';
import { generateCredentials, type SenderCredentials } from '@email-events/deploy/simulate';
import { createProvider, type Stack, selectBreakable } from '@email-events/deploy/stack';
import { type ProxyTarget, startProxy, startTcpProxy, type TcpProxy } from '../contracts/tcp-proxy.ts';
import { forgetAddresses } from '../stack/environment.ts';
import { Instance } from './instance.ts';
import { type FaultyService, SERVICES } from './schedule.ts';

export interface WorldOptions {
  /** Everything that it keeps is in there. */
  readonly home: string;
  /** Of each service but the receiver. */
  readonly instances: number;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Everything that can be harmed, running: real components behind proxies, and several instances of each service. */
export interface World {
  readonly paths: HomePaths;
  /** How the services see the world: through the proxies. */
  readonly config: PipelineConfig;
  /** How the judge sees it: past the proxies. */
  readonly direct: PipelineConfig;
  readonly stack: Stack;
  readonly sender: SenderCredentials;
  /** Of the balancer in front of the ingress. */
  readonly ingressUrl: string;
  readonly receiverUrl: string;
  readonly proxies: { readonly [name in 'kafka' | 'registry' | 'clickhouse' | 'ingress']: TcpProxy };
  instancesOf(service: FaultyService): readonly Instance[];
  /** One more instance, until it is stopped by its own handle. */
  join(service: FaultyService): Promise<Instance>;
  /** Processes that ended although nobody harmed them. */
  readonly surprises: string[];
  stop(): Promise<void>;
}

/** The least that a group waits for a silent member by default. */
const SESSION_TIMEOUT_MS = 6_000;
const PARTITIONS = 6;

export async function startWorld(options: WorldOptions): Promise<World> {
  const world = new RunningWorld(options);
  try {
    await world.start();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

class RunningWorld implements World {
  readonly paths: HomePaths;
  readonly surprises: string[] = [];
  readonly #options: WorldOptions;
  readonly #instances = new Map<FaultyService, Instance[]>();
  readonly #joined = new Set<Instance>();
  #config: PipelineConfig | undefined;
  #direct: PipelineConfig | undefined;
  #stack: Stack | undefined;
  #sender: SenderCredentials | undefined;
  #proxies: World['proxies'] | undefined;
  #crm = { file: '', secret: '' };
  #receiverPort = 0;
  #made = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.paths = pathsOf(options.home);
  }

  get config(): PipelineConfig {
    return there(this.#config);
  }
  get direct(): PipelineConfig {
    return there(this.#direct);
  }
  get stack(): Stack {
    return there(this.#stack);
  }
  get sender(): SenderCredentials {
    return there(this.#sender);
  }
  get proxies(): World['proxies'] {
    return there(this.#proxies);
  }
  get ingressUrl(): string {
    return `http://127.0.0.1:${this.proxies.ingress.port}`;
  }
  get receiverUrl(): string {
    return `http://127.0.0.1:${this.#receiverPort}`;
  }

  async start(): Promise<void> {
    const { note, instances, signal } = this.#options;
    mkdirSync(this.paths.logs, { recursive: true });
    this.#crm = crmSecret(this.paths.secrets);
    const { sender, sources } = await generateCredentials(join(this.paths.secrets, 'sources'));
    this.#sender = sender;
    await this.#startStack();
    // Not before the components have theirs: what is free now is to be free when it is listened on.
    const ports = await chooseLocalPorts({ any: true });
    this.#receiverPort = ports.receiver;
    const { kafka, registry, clickhouse } = this.stack;
    const common = { base: baseConfig(), paths: this.paths, ports, sources, crmSecretFile: this.#crm.file };
    const [viaKafka, viaRegistry, viaClickhouse] = [
      this.proxies.kafka,
      this.proxies.registry,
      this.proxies.clickhouse,
    ];
    const proxied = {
      kafka: { brokers: [`127.0.0.1:${viaKafka.port}`] },
      registry: { url: viaRegistry.url },
      clickhouse: { url: viaClickhouse.url },
    };
    this.#config = this.#write('pipeline.yaml', localConfig({ ...common, addresses: proxied }));
    const addresses = { kafka, registry, clickhouse };
    this.#direct = this.#write('direct.yaml', localConfig({ ...common, addresses }));
    await prepareComponents(this.direct, createReporter(note));
    signal.throwIfAborted();
    await Promise.all(
      SERVICES.map(async (service) => {
        const count = service === 'receiver' ? 1 : instances;
        const made = Array.from({ length: count }, () => this.#make(service));
        this.#instances.set(service, made);
        await Promise.all(made.map((instance) => instance.start()));
      }),
    );
  }

  instancesOf(service: FaultyService): readonly Instance[] {
    return this.#instances.get(service) ?? [];
  }

  async join(service: FaultyService): Promise<Instance> {
    const instance = this.#make(service);
    this.#joined.add(instance);
    await instance.start();
    return instance;
  }

  async stop(): Promise<void> {
    for (const service of SERVICES) {
      await Promise.all(this.instancesOf(service).map((instance) => instance.stop()));
    }
    await Promise.all([...this.#joined].map((instance) => instance.stop()));
    await this.#stack?.stop();
    await Promise.all(Object.values(this.#proxies ?? {}).map((proxy) => proxy.stop()));
  }

  async #startStack(): Promise<void> {
    const { note, signal } = this.#options;
    // The broker must know the proxy's port before the proxy can know the broker's.
    const kafka = await startProxy(() => this.#kafkaTarget());
    const ingress = await startProxy(() => this.#ingressTargets());
    forgetAddresses();
    this.#stack = await createProvider(selectBreakable(process.env), process.env).start({
      dataDir: this.paths.stack,
      advertise: { kafka: kafka.port },
      onProgress: createReporter(note).stack,
      signal,
    });
    this.#proxies = {
      kafka,
      ingress,
      registry: await startTcpProxy(this.stack.registry.url),
      clickhouse: await startTcpProxy(this.stack.clickhouse.url),
    };
  }

  #kafkaTarget(): ProxyTarget[] {
    const port = this.#stack?.proxied?.kafka;
    return port === undefined ? [] : [{ host: '127.0.0.1', port }];
  }

  /** What a balancer would find ready. */
  #ingressTargets(): ProxyTarget[] {
    return this.instancesOf('ingress').flatMap(({ httpPort }) =>
      httpPort === undefined ? [] : [{ host: '127.0.0.1', port: httpPort }],
    );
  }

  /** Each instance has a disk of its own, which it keeps; the ingress's spool is shared, as on one host. */
  #make(service: FaultyService): Instance {
    const name = `${service}-${++this.#made}`;
    const settings = { paths: this.paths, receiverPort: this.#receiverPort, crmSecret: this.#crm.secret };
    const spec = serviceSpec(service, settings);
    const logFile = join(this.paths.logs, `${name}.log`);
    return new Instance(
      {
        ...spec,
        ...{ name, logFile },
        env: { ...spec.env, EMAIL_EVENTS_EVENTS_STATE_DIR: join(this.paths.state, name) },
      },
      // Its log goes with the world.
      (how) => this.surprises.push(`${name} ${how}: ${lastReason(logFile)}`),
    );
  }

  #write(name: string, tree: ConfigTree): PipelineConfig {
    const file = name === 'pipeline.yaml' ? this.paths.configFile : join(this.paths.home, name);
    writeLocalConfig(file, tree);
    return loadConfig(file);
  }
}

/** Ports of services are theirs to choose: there are several of each. */
function baseConfig(): ConfigTree {
  return {
    kafka: { sessionTimeoutMs: SESSION_TIMEOUT_MS },
    topics: { rawPartitions: PARTITIONS, partitions: PARTITIONS },
    ingress: { port: 0, adminPort: 0 },
    normalize: { adminPort: 0 },
    events: { adminPort: 0 },
    sinks: { clickhouse: { adminPort: 0 }, crm: { adminPort: 0 } },
  };
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the world has not started yet');
  return value;
}
