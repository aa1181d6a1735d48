// First thing that `npm start` and `npm test` run: on any Node from 18, before anything is installed.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { NODE, ROOT, runUnderProjectNode } from './cli/bin/run-child.mjs';

const CLI = join('deploy', 'dev', 'src', 'main.ts');
/** What follows the command is passed on. */
export const COMMANDS = {
  start: [CLI, 'start'],
  cli: [CLI],
  test: [join('test', 'run.ts')],
  bench: [join('test', 'bench', 'main.ts')],
  containers: [join('deploy', 'dev', 'src', 'stack', 'containers', 'main.ts')],
  abuse: [join('test', 'abuse', 'main.ts')],
  crm: [join('test', 'crm', 'main.ts')],
  chart: [join('test', 'chart', 'main.ts')],
  compose: [join('test', 'compose', 'main.ts')],
  release: [join('deploy', 'release', 'main.ts')],
  faults: ['--max-old-space-size=6144', join('test', 'faults', 'main.ts')],
  install: null,
};
const LOCK = join(ROOT, '.email-events', 'npm-install.lock');
const PROGRESS_MS = 5_000;

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();

async function main() {
  const [command = '', ...args] = process.argv.slice(2);
  if (!Object.hasOwn(COMMANDS, command)) {
    process.stderr.write(
      `usage: node deploy/bootstrap.mjs ${Object.keys(COMMANDS).join('|')} [argument …]\n`,
    );
    process.exitCode = 2;
    return;
  }
  process.chdir(ROOT);
  if (!(await installIfNeeded())) {
    process.exitCode = 1;
    return;
  }
  const script = COMMANDS[command];
  if (script) process.exitCode = await runUnderProjectNode([...script, ...args]);
}

async function installIfNeeded() {
  if (isInstalled()) return true;
  const unlock = await lock();
  try {
    // Whoever held the lock may have installed it meanwhile.
    return isInstalled() || (await install());
  } finally {
    unlock();
  }
}

function isInstalled() {
  const wanted = readLock(join(ROOT, 'package-lock.json'));
  // npm writes this one last, so an installation that was broken off has none.
  const present = readLock(join(ROOT, 'node_modules', '.package-lock.json'));
  if (!wanted || !present || !existsSync(NODE)) return false;
  return missingPackages(wanted, present).length === 0;
}

/**
 * Paths of the packages that the lock file wants and the installation lacks or has differently. By content, not by
 * time: git gives a file a new time at every checkout. Optional ones may be absent: they are for another platform.
 */
export function missingPackages(wanted, present) {
  return Object.keys(wanted.packages).filter((path) => {
    if (path === '') return false;
    const want = wanted.packages[path];
    const found = present.packages[path];
    if (!found) return !want.optional && !want.devOptional;
    return ['version', 'integrity', 'bin'].some(
      (key) => JSON.stringify(want[key]) !== JSON.stringify(found[key]),
    );
  });
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

async function install() {
  const begin = Date.now();
  const expected = expectedPackages();
  const total = expected.length;
  const seconds = () => `${Math.round((Date.now() - begin) / 1000)} s`;
  process.stderr.write(`installing ${total} npm packages: a minute or two, only the first time\n`);
  const timer = setInterval(() => {
    process.stderr.write(
      `  still installing: ${expected.filter(isUnpacked).length} of ${total}, ${seconds()}\n`,
    );
  }, PROGRESS_MS);
  const code = await npmCi();
  clearInterval(timer);
  if (code === 0) process.stderr.write(`installed the npm packages in ${seconds()}\n`);
  else process.stderr.write(`npm ci failed with exit code ${code}; its messages are above\n`);
  return code === 0;
}

function npmCi() {
  const args = ['ci', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  // In its own session and stopped from here, or Ctrl-C would end this process before npm.
  const npm = spawn('npm', args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  const stop = () => {
    if (npm.pid) process.kill(-npm.pid, 'SIGTERM');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return new Promise((resolve) => {
    npm.once('error', (error) => {
      process.stderr.write(`npm cannot be run (${error.code}): install Node 18 or newer with npm\n`);
      resolve(1);
    });
    npm.once('exit', (code) => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      resolve(code ?? 130);
    });
  });
}

/** Packages that this machine gets: those for other platforms stay away. */
function expectedPackages() {
  const fits = (list, own) => !list || list.includes(own);
  return Object.entries(readLock(join(ROOT, 'package-lock.json'))?.packages ?? {})
    .filter(([path, { link }]) => path.includes('node_modules/') && !link)
    .filter(([, { os, cpu }]) => fits(os, process.platform) && fits(cpu, process.arch))
    .map(([path]) => path);
}

/** npm makes all folders at once and fills them one by one. */
function isUnpacked(path) {
  return existsSync(join(ROOT, path, 'package.json'));
}

/** Two installations at once would delete each other's files. */
async function lock() {
  mkdirSync(join(ROOT, '.email-events'), { recursive: true });
  for (let told = false; ; await delay(500)) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      return () => rmSync(LOCK, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!holderLives()) rmSync(LOCK, { force: true });
    else if (!told) process.stderr.write('waiting for another npm installation in this checkout\n');
    told = true;
  }
}

function holderLives() {
  try {
    return process.kill(Number(readFileSync(LOCK, 'utf8')) || -1, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}
