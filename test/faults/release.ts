import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import type { ConfigTree } from '@email-events/dev/run/local-config';
import { type ConfigProblem, withoutUnknown } from './release-config.ts';

const { missingPackages } = (await import(new URL('../../deploy/bootstrap.mjs', import.meta.url).href)) as {
  missingPackages(wanted: Lock, present: Lock): string[];
};

interface Lock {
  readonly packages: { readonly [path: string]: object };
}

/** How a release starts one of its services. */
export interface ReleaseProcess {
  readonly node: string;
  readonly nodeArgs: readonly string[];
  readonly script: string;
  readonly args: readonly string[];
}

/** A configuration as a release takes it. */
export interface FittedConfig {
  /** The file that was written last. */
  readonly file: string;
  /** Paths of keys that the release does not know. */
  readonly leftOut: readonly string[];
}

const CALL_MS = 60_000;
const PREPARE = [
  ['topics', 'apply'],
  ['schemas', 'register'],
  ['clickhouse', 'migrate'],
] as const;
const TELL_COMMAND = new URL('./tell-command.ts', import.meta.url).href;

/**
 * Another release of this project: a checkout with its packages. Only its command line is asked, which stays while files
 * move: which process a service is, which keys it knows, and what it needs in Kafka, registry and ClickHouse.
 */
export class Release {
  readonly root: string;
  /** Version and commit, for people. */
  readonly name: string;
  readonly #node: string;
  readonly #commandLine: string;

  /** Throws an Error that says what is wrong with the checkout, and how to mend it. */
  constructor(folder: string) {
    this.root = resolve(folder);
    const { version } = manifestOf(this.root);
    const bin = join(this.root, 'node_modules', '.bin');
    this.#node = join(bin, 'node');
    this.#commandLine = join(bin, 'email-events');
    const problem = installationProblem(this.root, [this.#node, this.#commandLine]);
    if (problem !== undefined) throw new Error(`${this.root}: ${problem}: run npm ci there`);
    this.name = [version, commitOf(this.root)].filter(Boolean).join(' ');
  }

  /** Asks `run SERVICE` which process it starts. Throws if the release has no such service. */
  async processOf(service: string, configFile: string): Promise<ReleaseProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'email-events-release-'));
    const told = join(folder, 'command.json');
    try {
      const { output } = await this.#call(['run', service, '--config', configFile], {
        NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${TELL_COMMAND}`.trim(),
        TELL_COMMAND_TO: told,
        TELL_COMMAND_BELOW: this.#commandLine,
      });
      if (!existsSync(told)) throw new Error(`${this.name} cannot run ${service}: ${output}`);
      return JSON.parse(await readFile(told, 'utf8')) as ReleaseProcess;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /**
   * Writes a configuration without the keys that this release does not know.
   * @param write writes it to a file, and returns that
   * Throws if the release refuses what is left.
   */
  async fit(whole: ConfigTree, write: (tree: ConfigTree) => string): Promise<FittedConfig> {
    const leftOut: string[] = [];
    for (let tree = whole; ; ) {
      const file = write(tree);
      const problems = await this.#problemsOf(file);
      if (problems.length === 0) return { file, leftOut };
      const fitted = withoutUnknown(tree, problems);
      if (fitted.leftOut.length === 0) {
        const all = problems.map(({ path, message }) => `${path}: ${message}`);
        throw new Error(`${this.name} refuses the configuration of this run: ${all.join('; ')}`);
      }
      leftOut.push(...fitted.leftOut);
      tree = fitted.tree;
    }
  }

  /**
   * Makes its topics, schemas and tables, as an operator does.
   * @param mayTryAgain asked after each failure, which may be that of a component that is away
   */
  async prepare(
    configFile: string,
    mayTryAgain: (failure: string) => Promise<boolean> = async () => false,
  ): Promise<void> {
    for (const command of PREPARE) {
      for (;;) {
        const { code, output } = await this.#call([...command, '--config', configFile]);
        if (code === 0) break;
        const failure = `${this.name}: ${command.join(' ')} failed: ${output}`;
        if (!(await mayTryAgain(failure))) throw new Error(failure);
      }
    }
  }

  async #problemsOf(file: string): Promise<readonly ConfigProblem[]> {
    const { output, stdout } = await this.#call(['config', 'check', '--json', '--config', file]);
    try {
      return (JSON.parse(stdout) as { problems: ConfigProblem[] }).problems;
    } catch (cause) {
      throw new Error(`${this.name}: config check gave no JSON: ${output}`, { cause });
    }
  }

  #call(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Called> {
    const options = { cwd: this.root, env: { ...process.env, ...env }, timeout: CALL_MS };
    return new Promise((done) => {
      execFile(this.#node, [this.#commandLine, ...args], options, (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`.trim().slice(-2_000) || String(error ?? '');
        done({ code: error ? error.code : 0, stdout, output });
      });
    });
  }
}

interface Called {
  /** Undefined or null: ended by a signal. */
  readonly code: string | number | null | undefined;
  readonly stdout: string;
  /** The end of both streams, for people. */
  readonly output: string;
}

/** The release that a run upgrades from. Throws as `Release` does, and for the checkout that is running. */
export function previousRelease(folder: string): Release {
  const release = new Release(folder);
  if (realpathSync(release.root) === realpathSync(REPOSITORY)) {
    throw new Error(
      `${release.root} is the checkout that is running; name one of another release: git worktree add FOLDER TAG`,
    );
  }
  return release;
}

function manifestOf(root: string): { readonly version?: string } {
  const manifest = readJson(join(root, 'package.json')) as { name?: string; version?: string } | undefined;
  const own = readJson(join(REPOSITORY, 'package.json')) as { name: string };
  if (manifest?.name === own.name) return manifest;
  throw new Error(
    `${root} is no checkout of ${own.name}; make one of another release: git worktree add FOLDER TAG`,
  );
}

function installationProblem(root: string, programs: readonly string[]): string | undefined {
  const wanted = readJson(join(root, 'package-lock.json')) as Lock | undefined;
  const present = readJson(join(root, 'node_modules', '.package-lock.json')) as Lock | undefined;
  if (!wanted) return 'there is no package-lock.json';
  if (!present || !programs.every((program) => existsSync(program))) return 'its packages are not installed';
  const [missing] = missingPackages(wanted, present);
  return missing === undefined
    ? undefined
    : `its packages are not those of its package-lock.json (${missing})`;
}

/** Undefined: it is no checkout of git, or there is no git. */
function commitOf(root: string): string | undefined {
  if (!existsSync(join(root, '.git'))) return undefined;
  const { stdout } = spawnSync('git', ['-C', root, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  return stdout?.trim() || undefined;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
