import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StackError } from '../errors.ts';
import { withLock } from '../lock.ts';
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

async function runMaven(context: InstallContext, cwd: string, args: readonly string[]): Promise<void> {
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
