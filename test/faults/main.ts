import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeResult } from '../src/result.ts';
import { readCommand } from './command.ts';
import { previousRelease } from './release.ts';
import { releaseFolder } from './release-of-ref.ts';
import {
  endsOf,
  percentile,
  renderAnswers,
  renderFindings,
  renderStandStills,
  renderSurvived,
  renderUpgrades,
} from './report.ts';
import { type FaultRun, runFaults } from './run.ts';

/**
 * `npm run test:faults -- [--brokers 1|3] [--minutes N] [--seed N] [--rate N] [--every SECONDS] [--short]
 * [--only "KIND TARGET"|broker-restarts|none]… [--spool on|off] [--from REF|CHECKOUT] [--delay-broker N=MS]…
 * [--substitute FILE] [--secured] [--keep]`:
 * exits 0 only if every promise held. The seed that it prints repeats the same traffic and the same faults.
 */
const note = (line: string) => process.stderr.write(`${line}\n`);
const command = orExit(() => readCommand(process.argv.slice(2)));
const from = orExit(() =>
  command.from === undefined ? undefined : previousRelease(releaseFolder(command.from, note)),
);
const seed = command.seed ?? Math.floor(Math.random() * 1_000_000);
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());

const begin = performance.now();
const home = await mkdtemp(join(tmpdir(), 'email-events-faults-'));
if (command.keep) note(`logs and data stay in ${home}`);
const { minutes, repeat, from: _, ...options } = command;
const run = await runFaults({
  ...options,
  from,
  ...{ home, seed, note, signal: abort.signal },
  events: Math.round(command.rate * 60 * minutes),
});
await report(run);

async function report(of: FaultRun): Promise<void> {
  const { survived, upgraded, findings, failures, leftOut, events, answers, standStills, drainMs } = of;
  const broken = findings.filter(({ violations }) => violations.length > 0).length + failures.length;
  const took = (performance.now() - begin) / 60_000;
  const { brokerRestarts, brokerKills, otherKills } = endsOf(survived);
  const lines = [
    '',
    renderSurvived(survived),
    '',
    renderStandStills(of),
    '',
    renderFindings(findings),
    ...(from ? ['', renderUpgrades(from.name, upgraded)] : []),
    ...failures.map((failure) => `  ${failure}`),
    '',
    renderAnswers(answers),
    `${events.acknowledged} events acknowledged, ${events.emitted} emitted; ${took.toFixed(1)} min, at rest ${(drainMs / 1_000).toFixed(1)} s after the last request`,
    `${survived.length} faults survived: ${brokerRestarts} restarts and ${brokerKills} kills of brokers, ${otherKills} other kills; ${leftOut} left out for lack of time`,
    broken === 0 ? 'Nothing lost, nothing twice.' : `${broken} promises broken.`,
    `seed ${seed}: the same traffic and faults again with --seed ${seed} ${repeat}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  const caughtUp = survived
    .filter(({ kind }) => kind === 'kill')
    .flatMap(({ caughtUpMs }) => caughtUpMs ?? []);
  await writeResult('faults', {
    ...{ seed, brokers: command.brokers, faults: survived.length, broken },
    ...{ broker_restarts: brokerRestarts, broker_kills: brokerKills, other_kills: otherKills },
    ...(from && { from: from.name, upgraded: upgraded.length }),
    ...{ acknowledged: events.acknowledged, emitted: events.emitted, retries: events.retries },
    ingress_p50_ms: Math.round(answers.p50Ms),
    ingress_p99_ms: Math.round(answers.p99Ms),
    stand_still_max_ms: Math.round(Math.max(0, ...standStills.map(({ ms }) => ms))),
    held_up_max_ms: Math.round(Math.max(0, ...of.heldUp.map(({ ms }) => ms))),
    caught_up_p50_ms: Math.round(percentile(caughtUp, 0.5) ?? 0),
    caught_up_max_ms: Math.round(percentile(caughtUp, 1) ?? 0),
    drain_ms: Math.round(drainMs),
  });
  process.exit(broken === 0 ? 0 : 1);
}

function orExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    note((error as Error).message);
    process.exit(2);
  }
}
