import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.ts';

const HELM = 'v3.22.0';
const PINNED = fileURLToPath(new URL('tools/', import.meta.url));

export interface Tools {
  readonly helm: string;
  readonly python: string;
  /** Folder whose node_modules has the models of what others define. */
  readonly models: string;
}

/** Outside of the checkout, as helm takes minutes to build. Each is pinned, and made once. */
export async function installTools(note: (line: string) => void): Promise<Tools> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'email-events');
  mkdirSync(cache, { recursive: true });
  const once = async (name: string, result: string, make: (folder: string) => Promise<unknown>) => {
    const folder = join(cache, name);
    if (!existsSync(join(folder, result))) {
      note(`installing ${name} into ${cache}: once`);
      // Under its name only when it is whole.
      const made = mkdtempSync(join(cache, `${name}.`));
      await make(made);
      rmSync(folder, { recursive: true, force: true });
      renameSync(made, folder);
    }
    return join(folder, result);
  };
  const helm = await once(`helm-${HELM}`, 'helm', (folder) =>
    run('go', ['install', `helm.sh/helm/v3/cmd/helm@${HELM}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false' },
    }),
  );
  const packages = await once(`chart-python-${digestOf('requirements.txt')}`, 'packages', (folder) =>
    run('python3', [
      ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
      ...['--target', join(folder, 'packages'), '--requirement', join(PINNED, 'requirements.txt')],
    ]),
  );
  const modules = await once(`chart-npm-${digestOf('package-lock.json')}`, 'node_modules', async (folder) => {
    for (const name of readdirSync(PINNED).filter((file) => file.endsWith('.json')))
      cpSync(join(PINNED, name), join(folder, name));
    await run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
  });
  return { helm, python: packages, models: join(modules, '..') };
}

const digestOf = (name: string) =>
  createHash('sha256')
    .update(readFileSync(join(PINNED, name)))
    .digest('hex')
    .slice(0, 12);
