import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import { renderAnswers, renderFindings, renderStandStills, renderSurvived } from './report.ts';
import { type FaultRun, type FaultRunOptions, runFaults } from './run.ts';

// Bounded parts of `npm run test:faults`, for tests. A seed repeats the same traffic and faults there.
const SEED = 20_261;
export const RATE = 150;
/** More than are sent until the last fault is over. */
export const ENOUGH = 60_000;
export const DEADLINE_MS = 600_000;

type Options = Pick<
  FaultRunOptions,
  'brokers' | 'deck' | 'events' | 'everyMs' | 'once' | 'calmMs' | 'substitute' | 'delays'
>;

/** One run; its figures are told. */
export async function runOnce(context: TestContext, options: Options): Promise<FaultRun> {
  const run = await runFaults({
    home: await mkdtemp(join(tmpdir(), 'email-events-faults-')),
    ...{ ...options, seed: SEED, rate: RATE },
    note: () => {},
    signal: context.signal,
  });
  const { survived, findings, answers } = run;
  const figures = [renderSurvived(survived), renderStandStills(run), renderFindings(findings)];
  context.annotate([...figures, renderAnswers(answers)].join('\n'));
  return run;
}

/** The same; every promise must hold. */
export async function survive(context: TestContext, options: Options): Promise<FaultRun> {
  const run = await runOnce(context, options);
  expect(run.failures).toEqual([]);
  const broken = run.findings.filter(({ violations }) => violations.length > 0);
  expect(broken.map(({ promise, violations }) => [promise, violations.slice(0, 5)])).toEqual([]);
  return run;
}
