import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProvider, printProgress, selectBreakable } from '@email-events/dev/stack';
import { forgetAddresses, unique } from '../harness/isolation.ts';
import { removePipelineTopics } from '../harness/sweep.ts';
import { writeResult } from '../src/result.ts';
import { checkBefore } from './before.ts';
import { type CrmOutcome, runCampaign } from './campaign.ts';
import { type Command, readCommand } from './command.ts';
import { limitViolationsIn } from './judge.ts';
import { renderOutcomes } from './report.ts';

/**
 * `npm run test:crm -- [--events N] [--only CRM,CRM…] [--at-once N] [--limit CALLS] [--down SECONDS] [--seed N] [--keep]`:
 * exits 0 only if every promise held for every CRM. First comes what concerns some of them only: real servers, vendors' types.
 */
const note = (line: string) => process.stderr.write(`${line}\n`);
const command = commandOrExit();
const seed = command.seed ?? Math.floor(Math.random() * 1_000_000);

const begin = performance.now();
const failed = await checkBefore(command.kinds, note);
const home = await mkdtemp(join(tmpdir(), 'email-events-crm-'));
forgetAddresses();
const provider = createProvider(selectBreakable(process.env), process.env);
const stack = await provider.start({ dataDir: join(home, 'stack'), onProgress: printProgress });
const outcomes: CrmOutcome[] = [];
try {
  for (const kinds of inTurns(command)) {
    note(`${kinds.join(', ')}:`);
    const folder = join(home, kinds.join('-'));
    await mkdir(folder);
    await removePipelineTopics(stack);
    const { events, limit, downMs } = command;
    const options = { kinds, events, limit, downMs, seed, stack, home: folder, note };
    for (const outcome of await runCampaign({ ...options, groupPrefix: unique('crm') }))
      outcomes.push({
        ...outcome,
        violations: [...outcome.violations, ...limitViolationsIn(outcome.report)],
      });
  }
} finally {
  await stack.stop();
  if (command.keep) note(`logs stay in ${home}`);
  else await rm(home, { recursive: true, force: true });
}
await report();

async function report(): Promise<never> {
  const broken = outcomes.filter(({ violations }) => violations.length > 0).length;
  const minutes = ((performance.now() - begin) / 60_000).toFixed(1);
  const verdict =
    broken === 0
      ? 'All recipients are where they should be, nobody is there twice, nobody was mailed again.'
      : `${broken} CRMs with broken promises.`;
  const before = failed.map((what) => `Failed before: ${what}.`);
  const lines = ['', renderOutcomes(outcomes, command.events), '', verdict, ...before];
  lines.push(`${minutes} min, seed ${seed}`);
  process.stdout.write(`${lines.join('\n')}\n`);
  const figures = outcomes.flatMap(({ kind, report: { calls, over }, drainMs }) => [
    [`${kind}_calls`, calls] as const,
    [`${kind}_above_limit`, over] as const,
    [`${kind}_drain_ms`, Math.round(drainMs)] as const,
  ]);
  await writeResult('crm-faults', { seed, events: command.events, broken, ...Object.fromEntries(figures) });
  process.exit(broken + failed.length === 0 ? 0 : 1);
}

/** Some CRMs at a time: all of them would share two instances of the sink. */
function inTurns({ kinds, atOnce }: Command): string[][] {
  const turns: string[][] = [];
  for (let at = 0; at < kinds.length; at += atOnce) turns.push(kinds.slice(at, at + atOnce));
  return turns;
}

function commandOrExit(): Command {
  try {
    return readCommand(process.argv.slice(2));
  } catch (error) {
    note((error as Error).message);
    process.exit(2);
  }
}
