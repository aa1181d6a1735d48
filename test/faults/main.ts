import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeResult } from '../bench/result.ts';
import { percentile, renderFindings, renderSurvived } from './report.ts';
import { type FaultRun, runFaults } from './run.ts';
import { pick, SHORT_DECK, WHOLE_DECK } from './schedule.ts';

/**
 * `npm run test:faults -- [--minutes N] [--seed N] [--rate N] [--every SECONDS] [--short]
 * [--only "KIND TARGET"]… [--keep]`: exits 0 only if every promise
 * held. The seed that it prints repeats the same traffic and the same faults.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    /** Events a second. */
    rate: { type: 'string', default: '850' },
    /** Mean seconds from one fault to the next. */
    every: { type: 'string', default: '4' },
    instances: { type: 'string', default: '2' },
    /** Only one of each kind of kill, and few others. */
    short: { type: 'boolean', default: false },
    /** Only these faults, such as `kill kafka` or `pause`; may be repeated. */
    only: { type: 'string', multiple: true, default: [] },
    /** Leave logs and data behind. */
    keep: { type: 'boolean', default: false },
  },
});

const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : number('seed');
const rate = number('rate');
const note = (line: string) => process.stderr.write(`${line}\n`);
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());

const begin = performance.now();
const home = await mkdtemp(join(tmpdir(), 'email-events-faults-'));
if (values.keep) note(`logs and data stay in ${home}`);
const run = await runFaults({
  home,
  ...{ seed, rate, note, signal: abort.signal },
  events: Math.round(rate * 60 * number('minutes')),
  everyMs: number('every') * 1_000,
  instances: number('instances'),
  deck: pick(values.short ? SHORT_DECK : WHOLE_DECK, values.only),
  keep: values.keep,
});
await report(run);

async function report({ survived, findings, failures, events, drainMs }: FaultRun): Promise<void> {
  const broken = findings.filter(({ violations }) => violations.length > 0).length + failures.length;
  const minutes = (performance.now() - begin) / 60_000;
  const kills = survived.filter(({ kind }) => kind === 'kill');
  const lines = [
    '',
    renderSurvived(survived),
    '',
    renderFindings(findings),
    ...failures.map((failure) => `  ${failure}`),
    '',
    `${events.acknowledged} events acknowledged, ${events.emitted} emitted; ${survived.length} faults survived, ${kills.length} of them kills; ${minutes.toFixed(1)} min, at rest ${(drainMs / 1_000).toFixed(1)} s after the last request`,
    broken === 0 ? 'Nothing lost, nothing twice.' : `${broken} promises broken.`,
    `seed ${seed}: the same traffic and faults again with --seed ${seed} --minutes ${values.minutes} --rate ${values.rate} --every ${values.every}${[values.short ? ' --short' : '', ...values.only.map((name) => ` --only "${name}"`)].join('')}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  const caughtUp = kills.flatMap(({ caughtUpMs }) => caughtUpMs ?? []);
  await writeResult('faults', {
    ...{ seed, faults: survived.length, kills: kills.length, broken },
    ...{ acknowledged: events.acknowledged, emitted: events.emitted, retries: events.retries },
    caught_up_p50_ms: Math.round(percentile(caughtUp, 0.5) ?? 0),
    caught_up_max_ms: Math.round(percentile(caughtUp, 1) ?? 0),
    drain_ms: Math.round(drainMs),
  });
  process.exit(broken === 0 ? 0 : 1);
}

function number(name: 'minutes' | 'seed' | 'rate' | 'every' | 'instances'): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value > 0) return value;
  process.stderr.write(`--${name} ${values[name]}: a number above 0 is needed\n`);
  process.exit(2);
}
