import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { attempt, run } from '../chart/run.ts';

const VERSION = 'v2.40.3';
const MODULE = `github.com/docker/compose/v2@${VERSION}`;

/** A program with its first arguments that takes Compose's: the machine's own if that is of version 2 or newer, else built by `go`, once, into the user's cache folder. */
export async function composeTool(note: (line: string) => void): Promise<readonly string[]> {
  for (const tool of [['docker', 'compose'], ['docker-compose']]) {
    const [program = '', ...args] = tool;
    const { code, out } = await attempt(program, [...args, 'version', '--short']).catch(() => ({
      code: 1,
      out: '',
    }));
    if (code === 0 && /^v?([2-9]|\d\d)\./.test(out)) return tool;
  }
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'email-events');
  const folder = join(cache, `compose-${VERSION}`);
  if (!existsSync(join(folder, 'docker-compose'))) {
    note(`building Docker Compose ${VERSION} into ${cache}: once, takes minutes`);
    mkdirSync(cache, { recursive: true });
    // Under its name only when it is whole.
    const made = mkdtempSync(`${folder}.`);
    await build(join(made, 'docker-compose'));
    rmSync(folder, { recursive: true, force: true });
    renameSync(made, folder);
  }
  return [join(folder, 'docker-compose')];
}

/** Not by `go install`, which refuses a module that excludes versions of others. */
async function build(program: string): Promise<void> {
  // Anywhere but in a module.
  const { Dir } = JSON.parse(await run('go', ['mod', 'download', '-json', MODULE], { cwd: homedir() })) as {
    Dir: string;
  };
  const version = `-s -w -X github.com/docker/compose/v2/internal.Version=${VERSION}`;
  await run('go', ['build', '-C', Dir, '-trimpath', '-ldflags', version, '-o', program, './cmd'], {
    env: { ...process.env, GOFLAGS: '-buildvcs=false -mod=readonly' },
  });
}
