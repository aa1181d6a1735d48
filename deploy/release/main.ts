import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isNewer, releasedChangelog, withVersion } from './version.ts';

/**
 * `npm run release -- X.Y.Z [--green COMMIT]`: looks whether this commit may be released, moves the changelog's entries below the version, sets it
 * everywhere, commits and tags `vX.Y.Z`. Runs all of CI first, unless `--green` says that it was green on this commit. Pushes nothing.
 */
const USAGE = 'npm run release -- X.Y.Z [--green COMMIT]';
try {
  release();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}

function release(): void {
  const { version, green } = argumentsOf();
  const { version: current } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  requireReleasable(version, current);
  const head = git('rev-parse', 'HEAD');
  if (green === undefined) runCi();
  else if (git('rev-parse', `${green}^{commit}`) !== head)
    throw new Error(`--green ${green}: that is another commit than the one that is checked out (${head})`);
  // CI may leave nothing behind, and takes long: somebody may have gone on meanwhile.
  requireReleasable(version, current);
  try {
    setVersion(version, current);
    // What is tagged is held by the same checks as any commit.
    must('node', ['test/checks/generated.ts']);
    must('node_modules/.bin/vitest', ['run', '--project', 'unit', 'deploy/release']);
    git('commit', '--all', '--quiet', '--message', `release: v${version}`);
    git('tag', '--annotate', '--message', `v${version}`, `v${version}`);
  } catch (error) {
    // There was nothing that is not committed.
    git('reset', '--hard', '--quiet', head);
    throw error;
  }
  process.stdout.write(`tagged v${version}; publish it with: git push --atomic origin main v${version}\n`);
}

function setVersion(version: string, current: string): void {
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync('CHANGELOG.md', releasedChangelog(readFileSync('CHANGELOG.md', 'utf8'), version, date));
  for (const file of git('ls-files').split('\n')) {
    if (!mentions(file, current)) continue;
    const text = readFileSync(file, 'utf8');
    const changed = withVersion(file, text, current, version);
    if (changed !== text) writeFileSync(file, changed);
  }
  must('npm', ['run', '--silent', 'gen']);
}

function argumentsOf(): { version: string; green: string | undefined } {
  const { values, positionals } = parseArgs({
    options: { green: { type: 'string' } },
    allowPositionals: true,
  });
  const [version = '', ...more] = positionals;
  if (!/^\d+\.\d+\.\d+$/.test(version) || more.length > 0) throw new Error(USAGE);
  return { version, green: values.green };
}

/** @throws with what stands against it, all of it */
function requireReleasable(version: string, current: string): void {
  const against: string[] = [];
  const branch = git('rev-parse', '--abbrev-ref', 'HEAD');
  if (branch !== 'main') against.push(`it is released from main, and this is ${branch}`);
  if (git('status', '--porcelain') !== '') against.push('there are changes that are not committed');
  if (attempt('git', ['fetch', '--quiet', '--tags', 'origin']).status !== 0)
    against.push('origin cannot be asked whether this is what it has');
  else if (git('rev-parse', 'HEAD') !== git('rev-parse', 'origin/main'))
    against.push('this is not what main has at origin');
  const tags = git('tag', '--list', 'v[0-9]*').split('\n').filter(Boolean);
  if (tags.includes(`v${version}`)) against.push(`v${version} is there already`);
  // Before the first tag the version is one that was never released.
  const released = tags.includes(`v${current}`);
  if (released ? !isNewer(version, current) : version !== current && !isNewer(version, current))
    against.push(`${version} does not come after ${current}`);
  const later = tags.filter(
    (tag) => /^v\d+\.\d+\.\d+$/.test(tag) && !isNewer(version, tag.slice(1)) && tag !== `v${version}`,
  );
  if (later.length > 0) against.push(`${later.join(', ')} come after it`);
  try {
    releasedChangelog(readFileSync('CHANGELOG.md', 'utf8'), version, '');
  } catch (error) {
    against.push((error as Error).message);
  }
  if (against.length > 0)
    throw new Error(`v${version} cannot be released:\n${against.map((why) => `- ${why}`).join('\n')}`);
}

function runCi(): void {
  process.stdout.write('all of CI first: .ci/run\n');
  // Without a container engine CI would leave the tests on containers out.
  const env = { ...process.env, CI_CONTAINERS: 'required' };
  if (spawnSync('.ci/run', { stdio: 'inherit', env }).status !== 0)
    throw new Error('CI is not green: nothing was released');
}

/** Whether it has that text. */
function mentions(file: string, text: string): boolean {
  return attempt('git', ['grep', '-qF', text, '--', file]).status === 0;
}

function git(...args: string[]): string {
  return must('git', args).trim();
}

function attempt(program: string, args: string[]) {
  return spawnSync(program, args, { encoding: 'utf8' });
}

function must(program: string, args: string[]): string {
  const { status, stdout, stderr } = attempt(program, args);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr || stdout}`);
  return stdout;
}
