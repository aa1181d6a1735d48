import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { readMigrations } from '../migrations.ts';
import { BOUNCE_REASONS, BOUNCE_RULES, BOUNCE_RULES_VERSION } from './bounce-reasons.ts';
import { FACTS, FACTS_VERSION, factSql } from './facts.ts';
import { commentOf } from './metric-sql.ts';
import { METRICS, METRICS_VERSION } from './metrics.ts';
import { AGENT_RULES, REACTION_RULES_VERSION, REACTION_SETTINGS } from './reaction-rules.ts';

// What is changed here needs a new version, and a migration that makes anew what was filled with it: databases keep what they were given.

const digest = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

const filled = Object.entries(METRICS).map(([name, metric]) => [
  name,
  commentOf(metric),
  ...('sql' in metric ? [metric.sql] : []),
]);

test.each([
  ['metrics', METRICS_VERSION, filled, [1, '9c1a485d9cbf15da'], /\{\{metric_/],
  [
    'bounce rules',
    BOUNCE_RULES_VERSION,
    [BOUNCE_REASONS, BOUNCE_RULES],
    [1, '25cab5238f286c4e'],
    /\{\{bounce_/,
  ],
  ['facts', FACTS_VERSION, [FACTS, factSql('e')], [1, '39c0dae115f364ca'], /\{\{fact /],
  [
    'reaction rules',
    REACTION_RULES_VERSION,
    [REACTION_SETTINGS, AGENT_RULES],
    [1, 'e20d13fe92184c2b'],
    /\{\{(agent_kind|setting) /,
  ],
] as const)(
  '%s are those of their version, and the newest migration that is filled with them names it',
  (what, version, data, pinned, use) => {
    expect([version, digest(data)]).toEqual(pinned);
    const newest = readMigrations()
      .filter(({ sql }) => use.test(sql))
      .at(-1);
    expect(newest?.sql.split('\n')).toContain(`-- ${what}: version ${version}`);
  },
);
