import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderFindings, renderSurvived } from './report.ts';
import { runFaults } from './run.ts';
import { SHORT_DECK } from './schedule.ts';

// A bounded part of `npm run test:faults`. Its seed repeats the same traffic and faults there.
const SEED = 20_261;
const EVENTS = 16_000;
const RATE = 250;

test('everything is killed, frozen, cut off or slowed down once: nothing is lost and nothing is twice', async (context) => {
  const abort = new AbortController();
  const run = await runFaults({
    home: await mkdtemp(join(tmpdir(), 'email-events-faults-')),
    ...{ seed: SEED, events: EVENTS, rate: RATE, everyMs: 3_400, deck: SHORT_DECK },
    note: () => {},
    signal: abort.signal,
  });
  context.annotate(`${renderSurvived(run.survived)}\n${renderFindings(run.findings)}`);
  expect(run.failures).toEqual([]);
  const broken = run.findings.filter(({ violations }) => violations.length > 0);
  expect(broken.map(({ promise, violations }) => [promise, violations.slice(0, 5)])).toEqual([]);
  expect(run.events.acknowledged).toBeGreaterThanOrEqual(EVENTS);
  // The whole deck was dealt and done.
  const done = new Set(run.survived.map(({ kind, target }) => `${kind} ${target}`));
  expect([...done].sort()).toEqual(SHORT_DECK.map(([kind, target]) => `${kind} ${target}`).sort());
}, 600_000);
