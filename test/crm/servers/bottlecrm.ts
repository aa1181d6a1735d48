import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePorts, printProgress } from '@email-events/dev/stack';
import {
  type InstallContext,
  installOnce,
  ProcessComponent,
  readVersions,
  runTool,
  TOOLS_DIR,
  watchProcesses,
} from '@email-events/dev/stack/programs';
import { Contacts, type ContactsFound } from './bottlecrm-contacts.ts';
import { FILES, type Installed, Program } from './bottlecrm-program.ts';
import { installPostgres, Postgres } from './postgres.ts';
import { installPython } from './python.ts';
import { succeed } from './succeed.ts';

const REQUIREMENTS = join(FILES, 'requirements.txt');
const MIGRATE = join(FILES, 'migrate.py');
const SEED = join(FILES, 'seed.py');

/** BottleCRM (django-crm of PyPI) on a PostgreSQL of its own, with an administrator and the custom fields of the sink. */
export interface Bottlecrm {
  readonly url: string;
  /** May read and write contacts, and read custom fields. */
  readonly token: string;
  readonly component: ProcessComponent<'bottlecrm'>;
  /** What there is now, and every state that each contact was in, in their order. */
  contacts(): Promise<ContactsFound>;
  stop(): Promise<void>;
}

/** Installs what lacks: a minute or two, once a checkout. */
export async function startBottlecrm(): Promise<Bottlecrm> {
  const context = { toolsDir: TOOLS_DIR, versions: readVersions(), onProgress: printProgress };
  const installed = await install(context);
  const data = await prepareData(context, installed);
  const home = await newHome();
  const watchdog = watchProcesses();
  const ports = await choosePorts({ postgres: {}, bottlecrm: {} });
  const postgres = new Postgres({ programs: installed.postgres, home, port: ports.postgres, watchdog });
  const program = new Program(installed, ports.postgres, home);
  const token = (await readFile(join(data, 'token'), 'utf8')).trim();
  const url = `http://127.0.0.1:${ports.bottlecrm}`;
  const component = new ProcessComponent(
    {
      name: 'bottlecrm',
      ...{ file: installed.python, cwd: home, env: program.env },
      args: () => [
        ...['-m', 'gunicorn', 'crm.wsgi', '--bind', `127.0.0.1:${ports.bottlecrm}`],
        ...['--workers', '2', '--threads', '4'],
      ],
      logFile: join(home, 'logs', 'bottlecrm.log'),
      answers: () => answers(url, token),
      startDeadlineMs: 90_000,
      stopDeadlineMs: 20_000,
    },
    watchdog,
  );
  const contacts = new Contacts(program);
  const stop = async () => {
    await contacts.close();
    // The database waits for its clients.
    await component.stop();
    await postgres.component.stop();
    await watchdog.close();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await postgres.restore(join(data, ARCHIVE));
    await postgres.component.start();
    await component.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, token, component, stop, contacts: () => contacts.read() };
}

async function install(context: InstallContext): Promise<Installed> {
  const [python, postgres] = await Promise.all([installPython(context), installPostgres(context)]);
  const packages = await installOnce(context, {
    component: 'bottlecrm',
    folder: `bottlecrm-${await digest(REQUIREMENTS)}`,
    detail: 'BottleCRM (PyPI)',
    result: '.',
    fill: async (folder) => {
      const quiet = ['--quiet', '--disable-pip-version-check', '--root-user-action=ignore', '--no-compile'];
      const args = [
        ...['-m', 'pip', 'install', ...quiet, '--no-deps', '--only-binary=:all:'],
        ...['--target', folder, '-r', REQUIREMENTS],
      ];
      succeed(await runTool(python, args, { signal: context.signal }));
    },
  });
  return { python, postgres, packages };
}

const ARCHIVE = 'data.tar';

/** The files of a database that has an administrator, and the administrator's token. */
async function prepareData(context: InstallContext, installed: Installed): Promise<string> {
  const migrated = await prepareMigrated(context, installed);
  return installOnce(context, {
    component: 'bottlecrm',
    folder: `bottlecrm-data-${await digest(REQUIREMENTS, MIGRATE, SEED)}`,
    detail: 'BottleCRM’s administrator',
    result: '.',
    fill: (folder) =>
      withDatabase(installed, join(folder, ARCHIVE), {
        begin: (postgres) => postgres.restore(join(migrated, ARCHIVE)),
        work: async (program) => writeFile(join(folder, 'token'), await program.run('-P', SEED)),
      }),
  });
}

/** Apart: what is in `SEED` changes more often. */
async function prepareMigrated(context: InstallContext, installed: Installed): Promise<string> {
  return installOnce(context, {
    component: 'bottlecrm',
    folder: `bottlecrm-migrated-${await digest(REQUIREMENTS, MIGRATE)}`,
    detail: 'BottleCRM’s tables',
    result: '.',
    fill: (folder) =>
      withDatabase(installed, join(folder, ARCHIVE), {
        begin: (postgres) => postgres.init(),
        work: async (program) => void (await program.run('-P', MIGRATE)),
      }),
  });
}

interface DatabaseWork {
  begin(postgres: Postgres): Promise<void>;
  work(program: Program): Promise<void>;
}

/** Does the work on a database of its own, and keeps its files. */
async function withDatabase(
  installed: Installed,
  archive: string,
  { begin, work }: DatabaseWork,
): Promise<void> {
  const home = await newHome();
  const watchdog = watchProcesses();
  const { postgres: port } = await choosePorts({ postgres: {} });
  const postgres = new Postgres({ programs: installed.postgres, home, port, watchdog });
  try {
    await begin(postgres);
    await postgres.component.start();
    await work(new Program(installed, port, home));
    await postgres.component.stop();
    await postgres.save(archive);
  } finally {
    await postgres.component.stop();
    await watchdog.close();
    await rm(home, { recursive: true, force: true });
  }
}

/** Everybody may pass through: the database's user must. */
async function newHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'email-events-bottlecrm-'));
  await chmod(home, 0o711);
  return home;
}

async function digest(...files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
}

async function answers(url: string, token: string): Promise<boolean> {
  try {
    const headers = { authorization: `Bearer ${token}` };
    const signal = AbortSignal.timeout(10_000);
    return (await fetch(`${url}/api/contacts/?limit=1`, { headers, signal })).status === 200;
  } catch {
    return false;
  }
}
