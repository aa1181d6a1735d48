import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeResult } from '../src/result.ts';
import { type Command, readCommand } from './command.ts';
import { figuresOf, renderRun } from './report.ts';
import { runAbuse } from './run.ts';

/**
 * `npm run test:abuse -- [--seconds N] [--rate N] [--honest N] [--all-esps] [--calm SECONDS] [--flood SECONDS] [--seed N] [--only TEXT] [--keep]`:
 * exits 0 only if no hostile account could stop, flood or falsify the others.
 */
const LIMITS = { memoryBytes: 512 * 1_048_576, canaryP99Ms: 5_000 };

const note = (line: string) => process.stderr.write(`${line}\n`);
const command = commandOrExit();
const seed = command.seed ?? Math.floor(Math.random() * 1_000_000);
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());

const home = await mkdtemp(join(tmpdir(), 'email-events-abuse-'));
try {
  const { keep: _, ...options } = command;
  const run = await runAbuse({ ...options, home, seed, limits: LIMITS, note, signal: abort.signal });
  const broken = run.findings.filter(({ violations }) => violations.length > 0).length;
  const verdict = broken === 0 ? 'Nobody was stopped, flooded or falsified.' : `${broken} promises broken.`;
  process.stdout.write(`\n${renderRun(run)}\n\n${verdict}\nseed ${seed}\n`);
  await writeResult('abuse', { ...figuresOf(run), seed, broken });
  process.exitCode = broken === 0 ? 0 : 1;
} finally {
  if (command.keep) note(`logs and data stay in ${home}`);
  else await rm(home, { recursive: true, force: true });
}

function commandOrExit(): Command {
  try {
    return readCommand(process.argv.slice(2));
  } catch (error) {
    note((error as Error).message);
    process.exit(2);
  }
}
