import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { homeFolder } from '@email-events/cli/home';

/** Programs that tests run, by the Debian package that has them. */
const PACKAGES = {
  promtool: 'prometheus',
  prometheus: 'prometheus',
  'prometheus-alertmanager': 'prometheus-alertmanager',
  amtool: 'prometheus-alertmanager',
  nginx: 'nginx',
  caddy: 'caddy',
} as const;

/** Where a package has it. */
const folderOf = (program: PrometheusProgram) => (program === 'nginx' ? 'usr/sbin' : 'usr/bin');

export type PrometheusProgram = keyof typeof PACKAGES;

export interface Ended {
  readonly code: number | null;
  /** Standard output and errors, as they came. */
  readonly out: string;
}

/** Runs promtool. Throws if it cannot be had. */
export async function promtool(args: readonly string[], input = ''): Promise<Ended> {
  return run(await programPath('promtool'), args, input);
}

/**
 * Where the program is: on the path, else out of its Debian package, which is unpacked into a folder of ours and not installed, so that it needs no
 * right and starts no service. Throws where there is neither.
 */
export async function programPath(program: PrometheusProgram): Promise<string> {
  const installed = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program));
  const found = installed.find((path) => existsSync(path));
  if (found) return found;
  const folder = join(homeFolder(), 'tools', PACKAGES[program]);
  if (!existsSync(folder)) await unpack(PACKAGES[program], folder);
  return join(folder, folderOf(program), program);
}

async function unpack(name: string, folder: string): Promise<void> {
  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    await must('apt-get', ['download', name], work).catch(async () => {
      // A fresh machine has no list of packages yet.
      await must('apt-get', ['update'], work);
      await must('apt-get', ['download', name], work);
    });
    const file = readdirSync(work).find((entry) => entry.endsWith('.deb'));
    if (!file) throw new Error(`apt-get download ${name} brought nothing`);
    await must('dpkg-deb', ['-x', file, 'root'], work);
    // Of two that unpack at once, the second finds the folder taken by the same.
    if (!existsSync(folder)) renameSync(join(work, 'root'), folder);
  } catch (error) {
    throw new Error(`${name} is not on the path, and Debian's package cannot be had: install it`, {
      cause: error,
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function must(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { code, out } = await run(command, args, '', cwd);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${out.trim().split('\n').at(-1)}`);
}

export function run(command: string, args: readonly string[], input: string, cwd?: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'pipe', ...(cwd === undefined ? {} : { cwd }) });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        out += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out }));
    // It may end before it has read all of it.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
