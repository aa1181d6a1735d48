import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { deckFor } from './decks.ts';
import { renderAnswers, renderFindings, renderStandStills, renderSurvived } from './report.ts';
import { type FaultRun, type FaultRunOptions, runFaults } from './run.ts';

// Bounded parts of `npm run test:faults`. A seed repeats the same traffic and faults there.
const SEED = 20_261;
const RATE = 250;
/** More than are sent until the last fault is over. */
const ENOUGH = 60_000;
const DEADLINE_MS = 600_000;

type Options = Pick<
  FaultRunOptions,
  'brokers' | 'deck' | 'events' | 'everyMs' | 'once' | 'substitute' | 'delays'
>;

/** One run; its figures are told. */
async function runOnce(context: TestContext, options: Options): Promise<FaultRun> {
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

async function survive(context: TestContext, options: Options): Promise<FaultRun> {
  const run = await runOnce(context, options);
  expect(run.failures).toEqual([]);
  const broken = run.findings.filter(({ violations }) => violations.length > 0);
  expect(broken.map(({ promise, violations }) => [promise, violations.slice(0, 5)])).toEqual([]);
  return run;
}

const cardsOf = (of: readonly { readonly kind: string; readonly target: string }[]) =>
  [...new Set(of.map(({ kind, target }) => `${kind} ${target}`))].sort();

for (const brokers of [1, 3]) {
  const title = `${brokers === 1 ? 'on one broker' : 'on three brokers'} everything is killed, frozen, cut off or moved once: nothing is lost, twice or stuck`;
  test(
    title,
    async (context) => {
      const deck = deckFor(brokers, true);
      const run = await survive(context, { brokers, deck, events: ENOUGH, everyMs: 3_000, once: true });
      expect(run.events.acknowledged).toBeGreaterThanOrEqual(5_000);
      // The whole deck was dealt and done.
      expect(cardsOf(run.survived)).toEqual(cardsOf(deck.map(([kind, target]) => ({ kind, target }))));
      expect(run.survived.length).toBe(run.faults.length);
    },
    DEADLINE_MS,
  );
}

test(
  'on three brokers at rest nothing is lost, twice, stuck or refused',
  async (context) => {
    const events = 45 * RATE;
    const run = await survive(context, { brokers: 3, deck: [], events, everyMs: 1_000 });
    expect(run.events.acknowledged).toBeGreaterThanOrEqual(events);
  },
  DEADLINE_MS,
);

test(
  "on three brokers kafkajs's own transactions are caught, without any fault, where one broker answers late",
  async (context) => {
    const { findings } = await runOnce(context, {
      ...{ brokers: 3, deck: [], events: 20 * RATE, everyMs: 1_000 },
      substitute: join(import.meta.dirname, 'substitutes', 'kafkajs-transactions.ts'),
      delays: new Map([[1, 100]]),
    });
    const broken = findings.filter(({ violations }) => violations.length > 0);
    expect(broken.map(({ promise }) => promise)).toContain(
      'no event is there twice, and none that nobody sent',
    );
  },
  DEADLINE_MS,
);
