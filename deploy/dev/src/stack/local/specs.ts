import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clickhouseAnswers, registryAnswers } from '../probes.ts';
import { REGISTRY_API, registrySettings } from '../settings.ts';
import { STACK_FILES } from '../versions.ts';
import type { ProcessSpec } from './process-component.ts';

export interface ClickhouseOptions {
  readonly dataDir: string;
  readonly logFile: string;
  readonly port: number;
  /** Its configuration; config.d and users.d beside it are added. */
  readonly config?: string;
}

const CLICKHOUSE_CONFIG = join(STACK_FILES, 'clickhouse', 'config.xml');

export async function prepareClickhouse(options: ClickhouseOptions): Promise<ProcessSpec> {
  const { dataDir, logFile, port, config = CLICKHOUSE_CONFIG } = options;
  await mkdir(dataDir, { recursive: true });
  return {
    name: 'clickhouse',
    file: process.execPath,
    args: () => [
      fileURLToPath(new URL('./clickhouse-server.ts', import.meta.url)),
      ...['--path', dataDir, '--config', config],
      ...['--listen', 'HTTP', '--', '--listen_host=127.0.0.1', `--http_port=${port}`],
    ],
    cwd: dataDir,
    // The services' own options (a larger young generation, a debugger's port) are not meant for this process.
    env: { ...process.env, NODE_OPTIONS: '' },
    logFile,
    answers: () => clickhouseAnswers({ url: `http://127.0.0.1:${port}` }),
    startDeadlineMs: 60_000,
    stopDeadlineMs: 15_000,
  };
}

export interface RegistryOptions {
  readonly java: string;
  readonly archive: ClassArchive;
  /** Folder of quarkus-run.jar. */
  readonly app: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly port: number;
  readonly managementPort: number;
}

/** Base URL of the Confluent-compatible API. */
export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}${REGISTRY_API}`;
}

export async function prepareRegistry(options: RegistryOptions): Promise<ProcessSpec> {
  const { java, app, archive, dataDir, logFile, port, managementPort } = options;
  await mkdir(dataDir, { recursive: true });
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    // Without these it opens a second port on all interfaces.
    'quarkus.management.host': '127.0.0.1',
    'quarkus.management.port': managementPort,
    ...registrySettings(join(dataDir, 'registry')),
  };
  return {
    name: 'registry',
    file: java,
    args: () => [
      ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      ...archive.jvmOptions(),
      ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
      ...['-jar', join(app, 'quarkus-run.jar')],
    ],
    cwd: dataDir,
    logFile,
    answers: () => registryAnswers({ url: registryUrl(port) }),
    startDeadlineMs: 90_000,
    // A first stop also writes the class archive.
    stopDeadlineMs: 20_000,
    ended: archive.ended,
  };
}

const ABANDONED_AFTER_MS = 3_600_000;

/**
 * A JVM's loaded classes, kept in a file: half of a broker's start is reading, checking and linking classes. The
 * first run that ends in order writes the file as it ends, which takes it some seconds; later ones map it.
 * A file that fits no longer, because a jar or the Java has changed, is ignored by the JVM.
 */
export interface ClassArchive {
  /** For the next start. */
  jvmOptions(): string[];
  /** For a program beside it with the same class path, which must not write the file. */
  readOnlyOptions(): string[];
  /** Whether the run that goes on is the one that writes the file. */
  readonly recording: boolean;
  /** After the end of that run; `inOrder` says that it was not killed in the middle of writing. */
  ended(inOrder: boolean): void;
}

/** `name` must change with the program's and with Java's version. */
export function classArchive(toolsDir: string, name: string): ClassArchive {
  const folder = join(toolsDir, 'classes');
  const file = join(folder, `${name}.jsa`);
  let recording: string | null = null;
  const readOnlyOptions = () => (existsSync(file) ? [`-XX:SharedArchiveFile=${file}`, '-Xlog:cds=off'] : []);
  return {
    readOnlyOptions,
    get recording() {
      return recording !== null;
    },
    jvmOptions() {
      if (existsSync(file)) return readOnlyOptions();
      mkdirSync(folder, { recursive: true });
      removeAbandoned(folder);
      recording = `${file}.tmp-${randomUUID()}`;
      return [`-XX:ArchiveClassesAtExit=${recording}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off'];
    },
    ended(inOrder) {
      if (recording && inOrder && existsSync(recording)) renameSync(recording, file);
      else if (recording) rmSync(recording, { force: true });
      recording = null;
    },
  };
}

/** Files left by runs whose parent was killed. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (name.includes('.tmp-') && modified < Date.now() - ABANDONED_AFTER_MS) rmSync(path, { force: true });
  }
}
