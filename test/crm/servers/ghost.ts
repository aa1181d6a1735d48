import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePorts, printProgress } from '@email-events/dev/stack';
import {
  type InstallContext,
  installOnce,
  ProcessComponent,
  type ProcessWatchdog,
  readVersions,
  TOOLS_DIR,
  watchProcesses,
} from '@email-events/dev/stack/programs';
import { GhostDatabase } from './ghost-members.ts';
import { GHOST_VERSION, installGhost } from './ghost-program.ts';
import { type Site, setUpSite } from './ghost-site.ts';

/** A Ghost on SQLite, with an owner, two newsletters and the key of an integration. */
export interface Ghost extends Site {
  readonly url: string;
  readonly component: ProcessComponent<'ghost'>;
  readonly database: GhostDatabase;
  stop(): Promise<void>;
}

/** Installs what lacks: a minute, once a checkout. */
export async function startGhost(): Promise<Ghost> {
  const context = { toolsDir: TOOLS_DIR, versions: readVersions(), onProgress: printProgress };
  const program = await installGhost(context);
  const made = await makeSite(context, program);
  const site = JSON.parse(await readFile(join(made, SITE), 'utf8')) as Site;
  const home = await mkdtemp(join(tmpdir(), 'email-events-ghost-'));
  const watchdog = watchProcesses();
  const { ghost: port } = await choosePorts({ ghost: {} });
  const component = ghostProcess({ program, home, port, watchdog });
  let database: GhostDatabase | undefined;
  const stop = async () => {
    database?.close();
    await component.stop();
    await watchdog.close();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await cp(join(made, DATABASE), join(home, DATABASE));
    await cp(join(program, 'content'), join(home, 'content'), { recursive: true });
    database = new GhostDatabase(join(home, DATABASE));
    await component.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...site, url: addressOf(port), component, database, stop };
}

const DATABASE = 'ghost.db';
const SITE = 'site.json';
/** How a site is set up. */
const RECIPE = new URL('./ghost-site.ts', import.meta.url);

/** Folder with the database of a site that is set up, and its key. It takes longest to make the tables. */
function makeSite(context: InstallContext, program: string): Promise<string> {
  const recipe = createHash('sha256').update(readFileSync(RECIPE)).digest('hex').slice(0, 12);
  return installOnce(context, {
    component: 'ghost',
    folder: `ghost-site-${GHOST_VERSION}-${recipe}`,
    detail: 'a site of Ghost',
    result: '.',
    fill: async (home) => {
      const watchdog = watchProcesses();
      const { ghost: port } = await choosePorts({ ghost: {} });
      const component = ghostProcess({ program, home, port, watchdog });
      try {
        await cp(join(program, 'content'), join(home, 'content'), { recursive: true });
        await component.start();
        await writeFile(join(home, SITE), JSON.stringify(await setUpSite(addressOf(port))));
      } finally {
        await component.stop();
        await watchdog.close();
      }
      await rm(join(home, 'content'), { recursive: true });
    },
  });
}

const addressOf = (port: number) => `http://127.0.0.1:${port}`;

interface Place {
  readonly program: string;
  /** Of the database, the site's files and the log. */
  readonly home: string;
  readonly port: number;
  readonly watchdog: ProcessWatchdog;
}

function ghostProcess({ program, home, port, watchdog }: Place): ProcessComponent<'ghost'> {
  const url = addressOf(port);
  const env = {
    ...{ PATH: process.env.PATH, HOME: home, NODE_ENV: 'production', url },
    ...{ server__host: '127.0.0.1', server__port: String(port), paths__contentPath: join(home, 'content') },
    ...{ database__client: 'better-sqlite3', database__useNullAsDefault: 'true' },
    database__connection__filename: join(home, DATABASE),
    ...{ logging__transports: '["stdout"]', logging__level: 'warn' },
    // It calls nobody, and writes to nobody.
    ...{ privacy__useTinfoil: 'true', explore__update_url: '', mail__transport: 'stub' },
    ...{ sendWelcomeEmail: 'false', security__staffDeviceVerification: 'false' },
  };
  return new ProcessComponent(
    {
      name: 'ghost',
      // It looks for itself in the folder that it is started in.
      ...{ file: process.execPath, args: () => ['index.js'], cwd: program, env },
      logFile: join(home, 'logs', 'ghost.log'),
      answers: () => answers(url),
      startDeadlineMs: 180_000,
      stopDeadlineMs: 20_000,
    },
    watchdog,
  );
}

/** While it starts, every page says 503. */
async function answers(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(10_000);
    return (await fetch(`${url}/ghost/api/admin/site/`, { signal })).status === 200;
  } catch {
    return false;
  }
}
