import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { vacantStack } from '../harness/stack.ts';
import { runCampaign } from './campaign.ts';
import { renderOutcomes } from './report.ts';

// A bounded part of `npm run test:crm`: few states, for one CRM that knows revisions and one that does not. Calls above the limit are told and not
// judged, since others may be at work on this machine.
const EVENTS = 360;
const TIME_MS = 600_000;

test('two CRMs that fail in every way come to the newest states, while the sink is killed', {
  timeout: TIME_MS,
}, async (scope) => {
  const stack = await vacantStack(scope);
  const home = await mkdtemp(join(tmpdir(), 'crm-faults-'));
  scope.onTestFinished(() => rm(home, { recursive: true, force: true }));
  const outcomes = await runCampaign({
    ...{ kinds: ['bottlecrm', 'mailchimp'], events: EVENTS, seed: 17, limit: 300, downMs: 2_000 },
    ...{ stack, groupPrefix: stack.unique('crm'), home, note: () => {} },
  });
  await scope.annotate(renderOutcomes(outcomes, EVENTS));
  expect(outcomes.map(({ kind, violations }) => [kind, violations])).toEqual([
    ['bottlecrm', []],
    ['mailchimp', []],
  ]);
  for (const { report } of outcomes) expect(Object.keys(report.faults).length).toBeGreaterThan(5);
});
