import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SIMULATED_ESPS } from '@email-events/dev/simulate';
import { expect, test } from 'vitest';
import { renderRun } from './report.ts';
import { runAbuse } from './run.ts';

// A bounded part of `npm run test:abuse`: every attack a few times. Times and memory are told and not judged, since others may be at
// work on this machine.

test('hostile accounts beside honest ones: nobody is stopped, flooded or falsified', async (context) => {
  const home = await mkdtemp(join(tmpdir(), 'email-events-abuse-'));
  context.onTestFinished(() => rm(home, { recursive: true, force: true }));
  const run = await runAbuse({
    ...{ home, seed: 20_261, seconds: 20, rate: 12, honestRate: 3, honestEsps: SIMULATED_ESPS },
    ...{ calmSeconds: 3, floodSeconds: 2, limits: {}, note: () => {}, signal: context.signal },
  });
  await context.annotate(renderRun(run));
  const broken = run.findings.filter(({ violations }) => violations.length > 0);
  expect(broken.map(({ promise, violations }) => [promise, violations.slice(0, 5)])).toEqual([]);
  expect(run.evidence.hostile.taken.size).toBeGreaterThan(0);
}, 600_000);
