import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface MavenPeer {
  readonly name: string;
  /** Folder of its pom.xml. */
  readonly sources: string;
  /** What it is compiled to, below `target`. */
  readonly jar: string;
}

/**
 * Compiles a peer with Maven, unless this version of it is in the cache already, and returns the folder of its jars. The cache lies outside
 * the checkout: in XDG_CACHE_HOME, else in ~/.cache. Throws with what is missing, and how to get it.
 */
export async function buildWithMaven({ name, sources, jar }: MavenPeer): Promise<string> {
  await requireTool(name, 'java', ['-version'], 'openjdk-17-jre-headless');
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'email-events', 'peers');
  const target = join(cache, `${name}-${await digestOf(sources)}`);
  if (existsSync(target)) return target;
  await requireTool(name, 'javac', ['-version'], 'openjdk-17-jdk-headless');
  await requireTool(name, 'mvn', ['--version'], 'maven');
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'building-'));
  try {
    await cp(sources, work, { recursive: true });
    const jars = join(work, 'jars');
    await maven(name, work, ['package', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`]);
    await cp(join(work, 'target', jar), join(jars, 'peer.jar'));
    // There completely or not at all.
    await rename(jars, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

async function maven(name: string, cwd: string, goals: readonly string[]): Promise<void> {
  process.stdout.write(`${name} is being built (Maven)\n`);
  const args = ['--batch-mode', '--no-transfer-progress', '--quiet', '-DincludeScope=runtime', ...goals];
  try {
    await promisify(execFile)('mvn', args, { cwd });
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    throw new Error(`${name} cannot be built:\n${stdout.slice(-4_000)}`, { cause: error });
  }
}

async function requireTool(
  name: string,
  file: string,
  args: readonly string[],
  debian: string,
): Promise<void> {
  try {
    await promisify(execFile)(file, args);
  } catch (cause) {
    const how = `Debian: apt-get install ${debian}; macOS: brew install openjdk@17 maven`;
    throw new Error(`${file} is missing, so nothing can be measured against ${name} (${how})`, { cause });
  }
}

async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(file.slice(folder.length)).update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}
