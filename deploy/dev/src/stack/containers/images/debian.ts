import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { StackError } from '../../errors.ts';
import { canRun, runTool } from '../../local/run-tool.ts';
import { installPackages } from '../set-up/facts.ts';
import type { ImageContext } from './build.ts';
import { follow } from './build.ts';

const BUILDER = 'mmdebstrap';
// dpkg and chroot are there, which not every user's path names.
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
// Files that only installing packages needs, and what would make each build differ.
const REMOVED = [
  'etc/apt',
  'etc/dpkg/dpkg.cfg.d/99mmdebstrap',
  'var/lib/apt',
  'var/cache/apt',
  'var/cache/debconf/*-old',
  'var/log/*',
];
const HOOKS = '/usr/share/mmdebstrap/hooks/merged-usr';
const FORMAT = '$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(COMPONENT)';

export interface DebianRequest {
  readonly reference: string;
  readonly release: string;
  /** Folder with the lists `packages` and `leave-out`. */
  readonly folder: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Makes an image of Debian out of its packages, from where this machine's apt gets them.
 * @throws StackError STACK_TOOL_MISSING, STACK_IMAGE_BUILD_FAILED, STACK_ABORTED
 */
export async function importDebian(context: ImageContext, request: DebianRequest): Promise<void> {
  await provideBuilder(context);
  const work = await mkdtemp(join(tmpdir(), 'email-events-debian-'));
  try {
    const options = join(work, 'apt.conf');
    await writeFile(options, await aptOptions());
    const archive = join(work, 'debian.tar');
    const sources = await aptSources(request.release);
    await makeArchive(context, request.reference, builderArguments(request, options, archive, sources));
    await importArchive(context, request, archive);
  } finally {
    await rm(work, { recursive: true });
  }
}

async function provideBuilder({ onProgress }: ImageContext): Promise<void> {
  if (await canRun(BUILDER, ['--version'])) return;
  const isRoot = process.getuid?.() === 0;
  // It says what it installs.
  if (isRoot && (await canRun('apt-get', ['--version']))) return installPackages([BUILDER], onProgress);
  throw new StackError(
    'STACK_TOOL_MISSING',
    `${BUILDER} is missing, which makes the Debian that stand-ins for public images are built on: install it ` +
      `(Debian: apt-get install ${BUILDER}), or name images that can be pulled (EMAIL_EVENTS_IMAGE_KAFKA and so on)`,
  );
}

function builderArguments(
  { release, folder }: DebianRequest,
  aptOptions: string,
  archive: string,
  sources: readonly string[],
): string[] {
  const packages = readList(join(folder, 'packages'));
  const leftOut = readList(join(folder, 'leave-out'));
  return [
    // The essential packages are named as a pattern: the variant of that name would choose among them by itself.
    ...['--variant=custom', '--include=?essential', `--include=${packages.join(',')}`, `--hook-dir=${HOOKS}`],
    ...leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    `--aptopt=${aptOptions}`,
    // Replaces mmdebstrap's cleanup, which leaves the sources and settings.
    ...['--skip=cleanup/apt,cleanup/mmdebstrap', `--customize-hook=cd "$1" && rm -rf ${REMOVED.join(' ')}`],
    ...[release, archive, ...sources],
  ];
}

/** @throws StackError STACK_IMAGE_BUILD_FAILED, STACK_ABORTED */
async function makeArchive(
  { signal }: ImageContext,
  reference: string,
  args: readonly string[],
): Promise<void> {
  const options = { signal, withChildren: true };
  const path = [process.env.PATH, ...SYSTEM_FOLDERS].join(delimiter);
  const { code, output } = await runTool('env', [`PATH=${path}`, BUILDER, ...args], options);
  if (code !== 0) throw failure(reference, `${BUILDER} failed:\n${output}`);
}

async function importArchive(
  { engine }: ImageContext,
  { reference, labels }: DebianRequest,
  archive: string,
): Promise<void> {
  const changes = Object.entries(labels).map(([name, value]) => `LABEL ${name}=${value}`);
  const [repo = '', tag = ''] = reference.split(':');
  try {
    const answer = await engine.docker.importImage(archive, { repo, tag, changes });
    await follow(engine.docker, answer, ({ error }) => {
      if (error) throw new Error(error);
    });
  } catch (cause) {
    throw failure(reference, (cause as Error).message, { cause });
  }
}

function failure(reference: string, said: string, options?: ErrorOptions): StackError {
  const message = `the image ${reference} cannot be built:\n${said.trim()}`;
  return new StackError('STACK_IMAGE_BUILD_FAILED', message, options);
}

/** Proxies, certificates and the like of this machine's apt; they do not stay in the image. */
async function aptOptions(): Promise<string> {
  const { code, stdout } = await tool('apt-config', ['dump', 'Acquire::http', 'Acquire::https']);
  return code === 0 ? stdout : '';
}

/** Debian's archives as this machine's apt names them; none if it names none, as on another distribution. */
async function aptSources(release: string): Promise<string[]> {
  const { code, stdout } = await tool('apt-get', [
    'indextargets',
    '--format',
    FORMAT,
    'Created-By: Packages',
  ]);
  return code === 0 ? sourcesOf(stdout, release) : [];
}

/** Lines `Debian|bookworm-updates|URI|main` as sources of the release that is wanted, which may be another one. */
export function sourcesOf(targets: string, release: string): string[] {
  const sources = targets.split('\n').flatMap((line) => {
    const [origin, codename = '', uri, component] = line.split('|');
    if (origin !== 'Debian' || component !== 'main') return [];
    return [`deb ${uri} ${codename.replace(/^[^-]+/, release)} main`];
  });
  return [...new Set(sources)];
}

/** A list of one thing a line; `#` begins a comment. */
export function readList(path: string): string[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

async function tool(file: string, args: readonly string[]) {
  return runTool(file, args).catch(() => ({ code: null, stdout: '' }));
}
