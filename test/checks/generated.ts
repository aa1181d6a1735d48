import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Generates everything again and fails if any file is not as it was, a file that is new included: what is generated
 * is committed, and must be what its sources say. Compared with the files before, not with the last commit, so that
 * it can be run in the middle of work; in CI the two are the same.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));

const before = changedFiles();
const generation = spawnSync('turbo', ['run', 'gen', '--force', '--output-logs=errors-only'], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
});
if (generation.status !== 0) {
  process.stderr.write(`the generation failed: ${generation.error ?? `exit code ${generation.status}`}\n`);
  process.exit(1);
}
const after = changedFiles();
const drifted = [...new Set([...before.keys(), ...after.keys()])].filter(
  (path) => before.get(path) !== after.get(path),
);
for (const path of drifted) process.stderr.write(`not as generated: ${path}\n`);
if (drifted.length > 0) process.stderr.write('run `npm run gen` and commit what it changes\n');
process.exit(drifted.length > 0 ? 1 : 0);

/** Files that differ from the last commit or are unknown to it, with a digest of what is in them now. */
function changedFiles(): Map<string, string> {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  const paths = [
    ...git('diff', '--name-only', '--no-renames', '-z', 'HEAD'),
    ...git('ls-files', '--others', '--exclude-standard', '-z'),
  ];
  return new Map(paths.map((path) => [path, digest(`${root}${path}`)]));
}

function digest(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return 'absent';
  }
}
