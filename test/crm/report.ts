import Table from 'cli-table3';
import type { CrmOutcome } from './campaign.ts';

const PLAIN = { chars: {}, style: { head: [], border: [], compact: true } };
const HEAD = ['CRM', 'states', 'recipients', 'calls', 'above limit', 'faults', 'dead', 'drained', 'promises'];

/** A row a CRM, and below it what was broken. */
export function renderOutcomes(outcomes: readonly CrmOutcome[], events: number): string {
  const table = new Table({ ...PLAIN, head: HEAD });
  for (const { kind, recipients, report, deadLetters, drainMs, violations } of outcomes) {
    const { calls, over, faults } = report;
    const drained = `${(drainMs / 1_000).toFixed(1)} s`;
    const kept = violations.length === 0 ? 'kept' : `${violations.length} BROKEN`;
    table.push([kind, events, recipients, calls, over, faultsOf(faults), deadLetters, drained, kept]);
  }
  const broken = outcomes.flatMap(({ kind, violations }) =>
    violations.map((violation) => `  ${kind}: ${violation}`),
  );
  return [table.toString(), ...broken].join('\n');
}

const faultsOf = (faults: { readonly [kind: string]: number }): number =>
  Object.values(faults).reduce((sum, times) => sum + times, 0);
