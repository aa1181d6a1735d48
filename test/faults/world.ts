import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type HomePaths, pathsOf, REPOSITORY } from '@email-events/cli/home';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import {
  type ConfigTree,
  crmSecret,
  localConfig,
  lookupToken,
  writeLocalConfig,
} from '@email-events/dev/run/local-config';
import { chooseLocalPorts } from '@email-events/dev/run/ports';
import { prepareComponents } from '@email-events/dev/run/prepare';
import { createReporter } from '@email-events/dev/run/reporter';
import { serviceSpec } from '@email-events/dev/run/service-fleet';
import { lastReason } from '@email-events/dev/run/supervisor';
import { generateCredentials, type SenderCredentials, SIMULATED_ESPS } from '@email-events/dev/simulate';
import type { Stack } from '@email-events/dev/stack';
import type { ProxyTarget } from '../harness/tcp-proxy.ts';
import { type SecuredWorld, secureWorld } from '../secured/world.ts';
import { type Components, type Proxies, startComponents } from './components.ts';
import { Instance } from './instance.ts';
import { Release } from './release.ts';
import { prepareRelease, type ReleaseServices } from './release-services.ts';
import { type FaultyService, SERVICES } from './targets.ts';

export interface WorldOptions {
  /** Everything that it keeps is in there. */
  readonly home: string;
  /** Of each service but the receiver. */
  readonly instances: number;
  /** 1 or 3; on 3 every record has three replicas, two of which must have it. */
  readonly brokers: number;
  /** Whether the ingress may acknowledge from its disk. */
  readonly spool: boolean;
  /** A file that each service imports before its own: by it a test puts another module in the place of one. */
  readonly substitute?: string | undefined;
  /** Every instance begins as this release. */
  readonly from?: Release | undefined;
  /** TLS and credentials everywhere, and of each service just the rights that `acl print` tells. */
  readonly secured?: boolean | undefined;
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
  readonly proxies: Proxies;
  /** The ESPs that may send, where a release knows fewer than the simulator plays. */
  readonly esps: readonly string[] | undefined;
  instancesOf(service: FaultyService): readonly Instance[];
  /** One more instance, until it is stopped by its own handle. */
  join(service: FaultyService): Promise<Instance>;
  /** Before an instance becomes this release: the first time its topics, schemas and tables are made. */
  beforeUpgrade(): Promise<void>;
  /** Instances that are still of the release that the run began with. */
  readonly ofOldRelease: readonly string[];
  /** Processes that ended although no fault was done to them. */
  readonly surprises: string[];
  stop(): Promise<void>;
}

/** The least that a group waits for a silent member by default. */
export const SESSION_TIMEOUT_MS = 6_000;
const PARTITIONS = 6;
/** The configuration with the components' own addresses. */
const DIRECT = 'direct.yaml';
/** How long topics, schemas and tables of the next release may take to be made while things break. */
const PREPARE_MS = 300_000;
const PREPARE_PAUSE_MS = 1_000;

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
  #components: Components | undefined;
  #sender: SenderCredentials | undefined;
  #crm = { file: '', secret: '' };
  #receiverPort = 0;
  #made = 0;
  #old: ReleaseServices | undefined;
  #upgrading: Promise<void> | undefined;
  #secured: SecuredWorld | undefined;

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
    return there(this.#components).stack;
  }
  get sender(): SenderCredentials {
    return there(this.#sender);
  }
  get proxies(): Proxies {
    return there(this.#components).proxies;
  }
  get ingressUrl(): string {
    return `http://127.0.0.1:${this.proxies.ingress.port}`;
  }
  get receiverUrl(): string {
    return `http://127.0.0.1:${this.#receiverPort}`;
  }

  get esps(): readonly string[] | undefined {
    const { esps = [] } = this.#old ?? {};
    return esps.length === 0 ? undefined : SIMULATED_ESPS.filter((esp) => !esps.includes(esp));
  }
  get ofOldRelease(): readonly string[] {
    const all = SERVICES.flatMap((service) => this.instancesOf(service));
    return all.filter(({ isOfOldRelease }) => isOfOldRelease).map(({ name }) => name);
  }

  async start(): Promise<void> {
    const { note, instances, signal, brokers, spool, from } = this.#options;
    mkdirSync(this.paths.logs, { recursive: true });
    this.#crm = crmSecret(this.paths.secrets);
    const { sender, sources } = await generateCredentials(join(this.paths.secrets, 'sources'));
    this.#sender = sender;
    if (this.#options.secured) this.#secured = await secureWorld(join(this.paths.home, 'tls'));
    this.#components = await startComponents({
      dataDir: this.paths.stack,
      ...{ brokers, signal, ingresses: () => this.#ingressTargets(), secured: this.#secured },
      onProgress: createReporter(note).stack,
    });
    // Not before the components have theirs: what is free now is to be free when it is listened on.
    const ports = await chooseLocalPorts({ any: true });
    this.#receiverPort = ports.receiver;
    const base = baseConfig(brokers, spool);
    const common = {
      base,
      paths: this.paths,
      ports,
      sources,
      crmSecretFile: this.#crm.file,
      lookupTokenFile: lookupToken(this.paths.secrets),
    };
    const addresses = this.#components.proxied;
    const proxied = localConfig({ ...common, addresses });
    this.#config = this.#write('pipeline.yaml', proxied);
    const { kafka, registry, clickhouse } = this.stack;
    const direct = localConfig({ ...common, addresses: { kafka, registry, clickhouse } });
    this.#direct = this.#write(DIRECT, direct);
    if (from) {
      note(`every instance begins as ${from.name}`);
      this.#old = await prepareRelease(from, { proxied, direct, sources, folder: this.paths.home });
      for (const path of this.#old.leftOut) note(`  it does not know ${path}, which is left out for it`);
    } else await prepareComponents(this.direct, createReporter(note));
    await this.#secured?.allow(this.direct);
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

  async beforeUpgrade(): Promise<void> {
    this.#upgrading ??= this.#prepareNext();
    await this.#upgrading;
  }

  /** Something that it needs may be broken right then: an operator would try again as well. */
  async #prepareNext(): Promise<void> {
    const { note, signal } = this.#options;
    const deadline = performance.now() + PREPARE_MS;
    await new Release(REPOSITORY).prepare(join(this.paths.home, DIRECT), async (failure) => {
      note(`  once more: ${failure.split('\n', 1)[0]}`);
      await delay(PREPARE_PAUSE_MS, undefined, { signal });
      return performance.now() < deadline;
    });
    note('topics, schemas and tables are those of the next release');
  }

  async stop(): Promise<void> {
    for (const service of SERVICES) {
      await Promise.all(this.instancesOf(service).map((instance) => instance.stop()));
    }
    await Promise.all([...this.#joined].map((instance) => instance.stop()));
    await this.#components?.stop();
    await this.#secured?.stop();
  }

  /** The instances that a balancer would find ready. */
  #ingressTargets(): ProxyTarget[] {
    return this.instancesOf('ingress').flatMap(({ httpPort }) =>
      httpPort === undefined ? [] : [{ host: '127.0.0.1', port: httpPort }],
    );
  }

  /** Each instance has its own disk, which it keeps; the ingress's spool is shared, as on one host. */
  #make(service: FaultyService): Instance {
    const name = `${service}-${++this.#made}`;
    const settings = { paths: this.paths, receiverPort: this.#receiverPort, crmSecret: this.#crm.secret };
    const own = serviceSpec(service, settings);
    const logFile = join(this.paths.logs, `${name}.log`);
    const spec = {
      ...own,
      ...{ name, logFile },
      nodeArgs: [...(own.nodeArgs ?? []), ...this.#substitution(service)],
      env: {
        ...own.env,
        ...(service !== 'receiver' && this.#secured?.environmentOf(service)),
        EMAIL_EVENTS_EVENTS_STATE_DIR: join(this.paths.state, name),
      },
    };
    // Its log goes with the world.
    const onEnd = (how: string) => this.surprises.push(`${name} ${how}: ${lastReason(logFile)}`);
    // One that joins once upgrades have begun is of this release from the start, as in any roll-out.
    const old = this.#upgrading ? undefined : this.#old?.processes.get(service);
    return old ? new Instance({ ...spec, ...old }, onEnd, spec) : new Instance(spec, onEnd);
  }

  #substitution(service: FaultyService): readonly string[] {
    const { substitute } = this.#options;
    return substitute === undefined || service === 'receiver'
      ? []
      : ['--import', pathToFileURL(resolve(substitute)).href];
  }

  #write(name: string, tree: ConfigTree): PipelineConfig {
    const file = name === 'pipeline.yaml' ? this.paths.configFile : join(this.paths.home, name);
    writeLocalConfig(file, tree);
    return pipelineConfig.load(file);
  }
}

/** Ports of services are theirs to choose: there are several of each. */
function baseConfig(brokers: number, spool: boolean): ConfigTree {
  return {
    kafka: { sessionTimeoutMs: SESSION_TIMEOUT_MS },
    topics: {
      ...{ rawPartitions: PARTITIONS, partitions: PARTITIONS },
      ...(brokers > 1 && { replicationFactor: 3, minInsyncReplicas: 2 }),
    },
    ingress: { port: 0, adminPort: 0, spool: { enabled: spool } },
    normalize: { adminPort: 0 },
    events: { adminPort: 0 },
    sinks: { clickhouse: { adminPort: 0 }, crm: { adminPort: 0 } },
  };
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the world has not started yet');
  return value;
}
