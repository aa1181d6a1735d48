import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brokerSettings } from '../broker-settings.ts';
import { StackError } from '../errors.ts';
import { kafkaAnswers } from '../probes.ts';
import { STACK_FILES } from '../versions.ts';
import type { ClassArchive } from './class-archive.ts';
import type { ProcessSpec } from './managed-process.ts';
import { runTool } from './run-tool.ts';

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

export function serverProperties(options: {
  port: number;
  controllerPort: number;
  logDir: string;
  proxied?: ProxiedListener | undefined;
}): string {
  const { port, controllerPort, logDir, proxied } = options;
  const at = (local: number) => `127.0.0.1:${local}`;
  const listener = (name: string, bind: number, advertised = bind) => ({
    name,
    bind: at(bind),
    advertised: at(advertised),
  });
  const settings = brokerSettings({
    listeners: [
      listener('PLAINTEXT', port),
      ...(proxied ? [listener('PROXIED', proxied.port, proxied.advertised)] : []),
    ],
    interBroker: 'PLAINTEXT',
    controller: at(controllerPort),
    logDir,
  });
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
