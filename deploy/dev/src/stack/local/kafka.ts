import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { clusterId, type Quorum, requireSameCluster } from '../brokers.ts';
import { StackError } from '../errors.ts';
import { kafkaAnswers } from '../probes.ts';
import { brokerSettings } from '../settings.ts';
import type { BrokerName, SecuredBrokers } from '../stack.ts';
import { STACK_FILES } from '../versions.ts';
import { type InstallContext, installOnce } from './install.ts';
import type { ProcessSpec } from './process-component.ts';
import { runTool } from './run-tool.ts';
import type { ClassArchive } from './specs.ts';

/** Soon there: that pays for a broker of minutes. By this variable, which Kafka's own scripts know, one that works for longer has the compiler that makes faster code. */
const jvm = () =>
  (process.env.KAFKA_JVM_PERFORMANCE_OPTS ?? '-XX:+UseSerialGC -XX:TieredStopAtLevel=1')
    .split(/\s+/)
    .filter(Boolean);

export interface BrokerPlace {
  readonly name: BrokerName;
  readonly nodeId: number;
  readonly dataDir: string;
  readonly logFile: string;
  readonly port: number;
  readonly controllerPort: number;
  /** One more listener, on `port`, whose clients are told to come to `advertised`. */
  readonly proxied?: { readonly port: number; readonly advertised: number } | undefined;
  readonly secured?: SecuredBrokers | undefined;
}

export interface KafkaOptions {
  readonly java: string;
  readonly archive: ClassArchive;
  /** Folder of the jars. */
  readonly jars: string;
  /** In order of their node ids. */
  readonly brokers: readonly BrokerPlace[];
  readonly quorum: Quorum;
  /** Where the storage that others are made after is kept. */
  readonly install: InstallContext;
}

/**
 * Writes the settings, formats the storage of the brokers that are new, and says how to run each.
 * @throws StackError STACK_BROKERS_CHANGED
 */
export async function prepareKafka(options: KafkaOptions): Promise<ProcessSpec[]> {
  const { jars, brokers } = options;
  const id = clusterId('loc', brokers.length);
  const controllers = brokers.map(({ controllerPort }) => at(controllerPort));
  const storages = brokers.map(({ nodeId, dataDir }) => ({ nodeId, logDir: logDirOf(dataDir) }));
  for (const { logDir } of storages) requireSameCluster(logDir, id);
  for (const broker of brokers) {
    await mkdir(broker.dataDir, { recursive: true });
    await writeFile(settingsOf(broker.dataDir), serverProperties(broker, controllers));
  }
  const classPath = ['-cp', join(jars, '*')];
  const fresh = storages.filter(({ logDir }) => !existsSync(join(logDir, IDENTITY)));
  if (fresh.length > 0) {
    const model = await formattedStorage(options, { id, controllers, classPath });
    await Promise.all(fresh.map((storage) => formatAfter(model, storage)));
  }
  return brokers.map((broker) => specOf(broker, options, classPath));
}

function specOf(broker: BrokerPlace, options: KafkaOptions, classPath: readonly string[]): ProcessSpec {
  const { name, nodeId, dataDir, logFile, port } = broker;
  const { java, archive, brokers, quorum } = options;
  const alone = brokers.length === 1;
  // One of them writes the archive, if there is none yet: all of them load the same classes.
  const records = nodeId === 1;
  return {
    name,
    file: java,
    args: () => [
      alone ? '-Xmx384m' : '-Xmx512m',
      ...jvm(),
      ...(records ? archive.jvmOptions() : archive.readOnlyOptions()),
      `-Dlog4j2.configurationFile=${join(STACK_FILES, 'log4j2.properties')}`,
      ...classPath,
      'kafka.Kafka',
      settingsOf(dataDir),
    ],
    cwd: dataDir,
    logFile,
    answers: () => kafkaAnswers('127.0.0.1', port, nodeId),
    startDeadlineMs: 60_000,
    // A first stop also writes the class archive.
    stopDeadlineMs: 20_000,
    ending() {
      // The class archive, which it writes at its very end, is worth the wait.
      if (records && archive.recording) return async () => false;
      return quorum.ending(logDirOf(dataDir), () => kafkaAnswers('127.0.0.1', port));
    },
    ...(records && { ended: archive.ended }),
  };
}

const logDirOf = (dataDir: string) => join(dataDir, 'log');
const settingsOf = (dataDir: string) => join(dataDir, 'server.properties');
const at = (port: number) => `127.0.0.1:${port}`;

function serverProperties(broker: BrokerPlace, controllers: readonly string[]): string {
  const { nodeId, dataDir, port, proxied, secured } = broker;
  const listener = (name: string, bind: number, advertised = bind) => ({
    name,
    bind: at(bind),
    advertised: at(advertised),
  });
  const settings = brokerSettings({
    nodeId,
    listeners: [
      listener('PLAINTEXT', port),
      ...(proxied
        ? [
            {
              ...listener('PROXIED', proxied.port, proxied.advertised),
              ...(secured?.proxied && { protocol: secured.proxied }),
            },
          ]
        : []),
      ...(secured?.listeners ?? []).flatMap(({ name, protocol, ports }) => {
        const own = ports[nodeId - 1];
        return own === undefined ? [] : [{ ...listener(name, own), protocol }];
      }),
    ],
    more: secured?.settings,
    interBroker: 'PLAINTEXT',
    controllers,
    logDir: logDirOf(dataDir),
  });
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Where a broker keeps its data. */
interface Storage {
  readonly nodeId: number;
  readonly logDir: string;
}

/** Says which node's it is, and that the folder is formatted. */
const IDENTITY = 'meta.properties';
/** File with the beginning of every new log of the cluster's metadata. */
const BEGINNING = 'bootstrap.checkpoint';

/**
 * The folder of a storage as Kafka's tool formats it. The tool takes a Java start, though all that differs between brokers and
 * between data directories is who is who; so it makes one for a version and a number of brokers, and all others are made after it.
 */
function formattedStorage(
  { java, archive, jars, brokers, install }: KafkaOptions,
  cluster: {
    readonly id: string;
    readonly controllers: readonly string[];
    readonly classPath: readonly string[];
  },
): Promise<string> {
  const { id, controllers, classPath } = cluster;
  return installOnce(install, {
    component: 'kafka',
    folder: `${basename(jars)}-storage-${brokers.length}`,
    detail: 'its storage',
    result: basename(logDirOf('')),
    async fill(folder) {
      const [first] = brokers;
      if (!first) throw new Error('there is no broker');
      await writeFile(
        settingsOf(folder),
        serverProperties({ ...first, dataDir: folder, secured: undefined }, controllers),
      );
      const options = [...jvm(), ...archive.readOnlyOptions(), ...classPath];
      const args = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', settingsOf(folder)];
      const { code, output } = await runTool(java, [...options, ...args], {
        cwd: folder,
        signal: install.signal,
      });
      if (code !== 0)
        throw new StackError('STACK_INSTALL_FAILED', `Kafka's storage cannot be formatted:\n${output}`);
    },
  });
}

async function formatAfter(model: string, { nodeId, logDir }: Storage): Promise<void> {
  const identity = await readFile(join(model, IDENTITY), 'utf8');
  await mkdir(logDir, { recursive: true });
  await copyFile(join(model, BEGINNING), join(logDir, BEGINNING));
  const own = identity
    .replace(/^node\.id=.*$/m, `node.id=${nodeId}`)
    .replace(/^directory\.id=.*$/m, `directory.id=${directoryId()}`);
  // Last, since with it the folder counts as formatted.
  await writeFile(join(logDir, IDENTITY), own);
}

/** A UUID in Kafka's spelling, which must not begin with a minus sign. */
function directoryId(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString('base64url');
}
