import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** A copy of the repository as it is now, committed, in which anything may be changed. */
export interface RepositoryCopy {
  readonly root: string;
  /** Runs shell commands in it; one that fails is an error of this. */
  shell(commands: string): Promise<string>;
  /** Makes a folder in it. Returns its path. */
  folder(path: string): string;
  remove(): void;
}

export function copyRepository(): RepositoryCopy {
  const root = mkdtempSync(join(tmpdir(), 'email-events-copy-'));
  for (const path of listed('--cached', '--others', '--exclude-standard')) {
    if (existsSync(join(ROOT, path))) cpSync(join(ROOT, path), join(root, path));
  }
  linkModules(root);
  if (existsSync(join(ROOT, KNOWN_TYPES))) cpSync(join(ROOT, KNOWN_TYPES), join(root, KNOWN_TYPES));
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, env: environment(root) });
  git('init', '-q');
  git('add', '-A');
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false'];
  git(...author, 'commit', '-q', '--no-verify', '-m', 'copy');
  return {
    root,
    async shell(commands) {
      try {
        const options = { cwd: root, env: environment(root), maxBuffer: 64 * 1024 * 1024 };
        return (await run('sh', ['-ec', commands], options)).stdout;
      } catch (cause) {
        const { stdout, stderr } = cause as { stdout?: string; stderr?: string };
        throw new Error(`failed: ${commands}\n${stdout}\n${stderr}`, { cause });
      }
    },
    folder(path) {
      const made = join(root, path);
      mkdirSync(made, { recursive: true });
      return made;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** What the compiler knows from its last run: in the copy it checks what was changed, and what that has an effect on. */
const KNOWN_TYPES = '.email-events/cache/types.tsbuildinfo';

/** Programs, and what npm writes when it is done. */
const KEPT: readonly string[] = ['.bin', '.package-lock.json'];

/** Links to what is installed, except that the packages of the repository are those of the copy. */
function linkModules(root: string): void {
  const folders = listed('--cached', '*package.json').map((path) => join(dirname(path), 'node_modules'));
  for (const folder of folders.filter((path) => existsSync(join(ROOT, path)))) {
    mkdirSync(join(root, folder), { recursive: true });
    for (const entry of readdirSync(join(ROOT, folder))) {
      // Caches would be shared with the repository's own runs.
      if (entry.startsWith('.') && !KEPT.includes(entry)) continue;
      const source = join(ROOT, folder, entry);
      const target = join(root, folder, entry);
      // These links are relative, so copied they lead to the copy.
      if (entry === '@email-events' || entry === '.bin')
        cpSync(source, target, { recursive: true, verbatimSymlinks: true });
      else symlinkSync(source, target);
    }
  }
}

function listed(...args: string[]): string[] {
  const output = execFileSync('git', ['ls-files', '-z', ...args], { cwd: ROOT, encoding: 'utf8' });
  return output.split('\0').filter((path) => path !== '');
}

/** As of a developer who typed the commands: nothing of the run that this test is part of. */
function environment(root: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|npm_|GIT_|NODE_ENV$|NODE_OPTIONS$|UPDATE_GOLDEN$)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
    NO_COLOR: '1',
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
  };
}
