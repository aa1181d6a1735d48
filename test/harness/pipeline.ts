import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { type RunningBin, runBin, startBin } from '@email-events/cli/testing';
import {
  applyTopics,
  createKafka,
  createLogger,
  Registry,
  type RunningService,
  readTopic,
  type StartService,
  silentLog,
} from '@email-events/core';
import { replicationOn, type StackAddresses } from '@email-events/dev/stack';
import { Codec, registerSchemas, topicCatalogue } from '@email-events/schemas';
import { type ClickHouse, connect, migrate } from '@email-events/sink-clickhouse';
import { unique, uniqueDatabase } from './isolation.ts';
import { LaunchedService, type ServiceName } from './service-process.ts';
import type { TestScope } from './stack.ts';

export interface Message {
  readonly key?: string | null;
  readonly value: Buffer | null;
  readonly headers?: { readonly [name: string]: Buffer };
  readonly partition?: number;
  readonly timestamp?: number;
}

export interface Started {
  readonly metrics: Registry;
  stop(): Promise<void>;
}

type Env = { readonly [name: string]: string };

export interface LaunchSettings {
  /** Instances of other names have other disks and logs; those of the same name take over each other's. */
  readonly name?: string | undefined;
  readonly env?: Env | undefined;
  /** Largest size of a file it may write; undefined: no limit. */
  readonly fileBytes?: number | undefined;
}

/** Topics, schemas and tables on a stack, and a configuration for services, in this process or in their own, and for commands. */
export interface Pipeline {
  /** Everything that it keeps is in there. */
  readonly folder: string;
  /** By the addresses of the stack, past what may stand before it. */
  readonly config: PipelineConfig;
  readonly codec: Codec;
  readonly clickhouse: ClickHouse;
  /** A service in this process. */
  start(service: StartService<PipelineConfig>): Promise<Started>;
  /** A service as a process. Does not wait until it takes work. */
  launch(service: ServiceName, settings?: LaunchSettings): LaunchedService;
  /** Offset of each message, which go to partition 0 unless they say otherwise. */
  produce(topic: string, messages: readonly Message[]): Promise<number[]>;
  /** A command with --json: its exit code and what it printed. */
  // biome-ignore lint/suspicious/noExplicitAny: every command prints something else; the test says what it expects.
  command(...args: readonly string[]): Promise<{ code: number | null; out: any; err: string }>;
  /** The same with further variables in its environment. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  commandWith(env: Env, ...args: readonly string[]): Promise<{ code: number | null; out: any; err: string }>;
  /** The same for people, while it runs. */
  startCommand(...args: readonly string[]): RunningBin;
}

export interface PipelineOptions {
  /** Part of the names of its groups and its database. */
  readonly name: string;
  /** Sections of the configuration, as far as they are not the defaults. */
  readonly settings?: { readonly [section: string]: object };
  /** How services and commands find the components, if not by the addresses of the stack: through proxies. */
  readonly through?: StackAddresses;
}

/** The one way to a pipeline in tests. The stack must be vacant or the test's own, since topics have their fixed names. */
export async function startPipeline(
  scope: TestScope,
  stack: StackAddresses,
  { name, settings = {}, through = stack }: PipelineOptions,
): Promise<Pipeline> {
  const folder = await mkdtemp(join(tmpdir(), `email-events-${name}-`));
  scope.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const own = { groupPrefix: unique(name), database: uniqueDatabase(name) };
  const configFile = join(folder, 'pipeline.yaml');
  await writeFile(configFile, JSON.stringify(sectionsOf(through, folder, own, settings)));
  const config = pipelineConfig.parse(sectionsOf(stack, folder, own, settings));
  await Promise.all([
    applyTopics(config.kafka, topicCatalogue(config.topics)),
    // On a busy machine a registry may take its time; who registers by hand does it again.
    registerSchemas({ ...stack.registry, timeoutMs: 30_000 }),
    migrate(config.sinks.clickhouse),
  ]);
  return new PreparedPipeline(scope, { folder, config, configFile, codec: new Codec(stack.registry) });
}

/** YAML is a superset of JSON. */
function sectionsOf(
  { kafka, registry, clickhouse }: StackAddresses,
  folder: string,
  { groupPrefix, database }: { readonly groupPrefix: string; readonly database: string },
  settings: { readonly [section: string]: object },
): object {
  const sinks = (settings.sinks ?? {}) as { readonly [sink: string]: object };
  return {
    ...settings,
    kafka: { ...kafka, groupPrefix, ...settings.kafka },
    registry,
    // What tests claim needs more than one partition; a broker takes a second to make and remove those of production.
    topics: { partitions: 2, rawPartitions: 2, ...replicationOn(kafka), ...settings.topics },
    ingress: { port: 0, adminPort: 0, spool: { dir: join(folder, 'spool') }, ...settings.ingress },
    normalize: { adminPort: 0, ...settings.normalize },
    events: { adminPort: 0, stateDir: join(folder, 'state'), ...settings.events },
    sinks: { ...sinks, clickhouse: { ...clickhouse, database, adminPort: 0, ...sinks.clickhouse } },
  };
}

class PreparedPipeline implements Pipeline {
  readonly folder: string;
  readonly config: PipelineConfig;
  readonly codec: Codec;
  readonly clickhouse: ClickHouse;
  readonly #scope: TestScope;
  readonly #configFile: string;
  readonly #running = new Set<RunningService>();
  readonly #producer;
  #connected: Promise<void> | undefined;

  constructor(
    scope: TestScope,
    {
      folder,
      config,
      configFile,
      codec,
    }: Pick<Pipeline, 'folder' | 'config' | 'codec'> & { readonly configFile: string },
  ) {
    this.folder = folder;
    this.config = config;
    this.codec = codec;
    this.clickhouse = connect(config.sinks.clickhouse);
    this.#scope = scope;
    this.#configFile = configFile;
    this.#producer = createKafka(config.kafka, 'test', silentLog).producer({ idempotent: true });
    scope.onTestFinished(async () => {
      await Promise.all([...this.#running].map((service) => service.stop()));
      await Promise.all([this.#connected && this.#producer.disconnect(), this.clickhouse.close()]);
    });
  }

  async start(service: StartService<PipelineConfig>): Promise<Started> {
    const metrics = new Registry();
    const started = await service({ config: this.config, log: createLogger('test', 'silent'), metrics });
    this.#running.add(started);
    const stop = async () => {
      this.#running.delete(started);
      await started.stop();
    };
    return { metrics, stop };
  }

  launch(service: ServiceName, { name, env = {}, fileBytes }: LaunchSettings = {}): LaunchedService {
    const logFile = join(this.folder, `${name ?? service}.log`);
    const disk =
      name === undefined ? {} : { EMAIL_EVENTS_EVENTS_STATE_DIR: join(this.folder, 'states', name) };
    const options = { service, configFile: this.#configFile, logFile, env: { ...disk, ...env }, fileBytes };
    return new LaunchedService(options, this.#scope);
  }

  async produce(topic: string, messages: readonly Message[]): Promise<number[]> {
    this.#connected ??= this.#producer.connect();
    await this.#connected;
    const sent = await this.#producer.send({
      topic,
      acks: -1,
      messages: messages.map(({ key = null, value, headers = {}, partition = 0, timestamp }) => {
        const time = timestamp === undefined ? {} : { timestamp: String(timestamp) };
        return { key, value, partition, headers: { ...headers }, ...time };
      }),
    });
    const next = new Map(sent.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    return messages.map(({ partition = 0 }) => {
      const offset = next.get(partition) ?? 0;
      next.set(partition, offset + 1);
      return offset;
    });
  }

  startCommand(...args: readonly string[]): RunningBin {
    return startBin([...args, '--config', this.#configFile]);
  }

  command(...args: readonly string[]) {
    return this.commandWith({}, ...args);
  }

  async commandWith(env: Env, ...args: readonly string[]) {
    const { code, out, err } = await runBin([...args, '--json', '--config', this.#configFile], { env });
    return { code, out: out === '' ? undefined : JSON.parse(out), err };
  }
}

/** Values of a topic, one character a byte, with how often each is there. */
export async function valuesOf({ config }: Pipeline, topic: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  await readTopic(config.kafka, {
    topics: [topic],
    from: 'beginning',
    onRecord({ value }) {
      const text = value?.toString('latin1') ?? '';
      found.set(text, (found.get(text) ?? 0) + 1);
    },
  });
  return found;
}
