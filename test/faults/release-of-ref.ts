import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';

/** The release before this one: the last tag `v1.2.3` that is not this commit's own. */
export const PREVIOUS = 'previous';

/**
 * The folder of the release that `--from` names: a folder as it is, or a tag, branch or commit of this repository, of which a worktree is made in the user's cache
 * folder and its packages are installed, once. Throws an Error that says what is wrong with the name.
 */
export function releaseFolder(named: string, note: (line: string) => void): string {
  if (named !== PREVIOUS && existsSync(named)) return named;
  const commit = commitOf(named === PREVIOUS ? lastTag() : named);
  const folder = join(cacheFolder(), commit);
  if (!existsSync(join(folder, 'package.json'))) {
    note(`checking out ${named} (${commit.slice(0, 7)}) to ${folder}`);
    mkdirSync(cacheFolder(), { recursive: true });
    // One that was removed by hand is still known to git.
    git('worktree', 'prune');
    git('worktree', 'add', '--detach', folder, commit);
  }
  // Installs what is missing, as it does for whoever checks it out.
  const { status } = spawnSync('node', [join('deploy', 'bootstrap.mjs'), 'install'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Error(`${folder}: its packages cannot be installed`);
  return folder;
}

const cacheFolder = () =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'email-events', 'releases');

function lastTag(): string {
  const parents = spawnSync('git', ['rev-parse', '--verify', '--quiet', 'HEAD^'], { cwd: REPOSITORY });
  const from = parents.status === 0 ? 'HEAD^' : 'HEAD';
  const { status, stdout } = tryGit('describe', '--tags', '--abbrev=0', '--match', 'v[0-9]*', from);
  if (status === 0) return stdout.trim();
  throw new Error('--from previous: there is no tag v1.2.3 before this commit; name a tag, commit or folder');
}

function commitOf(ref: string): string {
  const { status, stdout } = tryGit(
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${ref}^{commit}`,
  );
  if (status === 0) return stdout.trim();
  throw new Error(`--from ${ref}: neither a folder nor a tag, branch or commit of this repository`);
}

const tryGit = (...args: string[]) => spawnSync('git', args, { cwd: REPOSITORY, encoding: 'utf8' });

function git(...args: string[]): void {
  const { status, stderr } = tryGit(...args);
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
}
