import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StackError } from '../errors.ts';
import { kafkaAnswers } from '../probes.ts';
import { STACK_FILES } from '../versions.ts';
import type { ClassArchive } from './class-archive.ts';
import type { ProcessSpec } from './managed-process.ts';
import { runTool } from './run-tool.ts';

const MIB = 1024 * 1024;
// One broker, one cluster: the id only has to be a UUID in Kafka's spelling.
const CLUSTER_ID = 'ZW1haWwtZXZlbnRzLWxvYw';
const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export interface ProxiedListener {
  readonly port: number;
  readonly advertised: number;
}

export interface KafkaOptions {
  readonly java: string;
  readonly archive: ClassArchive;
  /** Folder of the jars. */
  readonly jars: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly port: number;
  readonly controllerPort: number;
  /** One more listener, on `port`, whose clients are told to come to `advertised`. */
  readonly proxied?: ProxiedListener | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes the settings, formats the storage when it is new, and says how to run the broker. */
export async function prepareKafka(options: KafkaOptions): Promise<ProcessSpec> {
  const { java, jars, archive, dataDir, logFile, port } = options;
  const settings = join(dataDir, 'server.properties');
  const logDir = join(dataDir, 'log');
  await mkdir(dataDir, { recursive: true });
  await writeFile(settings, serverProperties({ ...options, logDir }));
  const classPath = ['-cp', join(jars, '*')];
  if (!existsSync(join(logDir, 'meta.properties'))) await format(options, classPath, settings);
  return {
    name: 'kafka',
    file: java,
    args: () => [
      '-Xmx384m',
      ...JVM,
      ...archive.jvmOptions(),
      `-Dlog4j2.configurationFile=${join(STACK_FILES, 'log4j2.properties')}`,
      ...classPath,
      'kafka.Kafka',
      settings,
    ],
    cwd: dataDir,
    logFile,
    answers: () => kafkaAnswers('127.0.0.1', port),
    startDeadlineMs: 60_000,
    // A first stop also writes the class archive.
    stopDeadlineMs: 20_000,
    ended: archive.ended,
  };
}

/**
 * Broker and controller in one process. A fixed voter list, not a dynamic quorum: that would keep the controller's
 * port in its log, and the port may be another one at the next start.
 */
export function serverProperties(options: {
  port: number;
  controllerPort: number;
  logDir: string;
  proxied?: ProxiedListener | undefined;
}): string {
  const { port, controllerPort, logDir, proxied } = options;
  const listeners = (proxiedPort: number | undefined) =>
    [
      `PLAINTEXT://127.0.0.1:${port}`,
      `CONTROLLER://127.0.0.1:${controllerPort}`,
      ...(proxiedPort === undefined ? [] : [`PROXIED://127.0.0.1:${proxiedPort}`]),
    ].join(',');
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: listeners(proxied?.port),
    'advertised.listeners': listeners(proxied?.advertised),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    // What the broker says to itself (transaction markers) goes past the proxy, as between the brokers of a cluster.
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': logDir,
    'auto.create.topics.enable': false,
    // One node holds every replica, and a few partitions of the internal topics are plenty and quick to load.
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    // A lone consumer need not wait for others, and a killed one may be given up soon.
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    // Topics allow up to 4 MiB a record batch; what moves batches must let them through.
    'message.max.bytes': 4 * MIB,
    'replica.fetch.max.bytes': 8 * MIB,
    'socket.request.max.bytes': 100 * MIB,
    // A broker that was killed is let in again only when its former session has ended: by default after 9 s.
    'broker.session.timeout.ms': 4_000,
    'broker.heartbeat.interval.ms': 1_000,
    'num.network.threads': 2,
    'num.io.threads': 4,
    // The default takes a third of this heap before the first record.
    'log.cleaner.dedupe.buffer.size': 32 * MIB,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

async function format(options: KafkaOptions, classPath: readonly string[], settings: string): Promise<void> {
  const { code, output } = await runTool(
    options.java,
    [
      ...JVM,
      ...options.archive.readOnlyOptions(),
      ...classPath,
      ...['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', settings],
    ],
    { cwd: options.dataDir, signal: options.signal },
  );
  if (code !== 0)
    throw new StackError('STACK_INSTALL_FAILED', `Kafka's storage cannot be formatted:\n${output}`);
}
