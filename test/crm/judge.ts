import type { SinkRecord } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import type { CrmFacts } from '@email-events/sink-crm';
import type { PlayedReport } from './played.ts';
import { newestStates } from './states.ts';

/** What a CRM came to, and what was asked of it. */
export interface Evidence {
  readonly facts: Pick<CrmFacts, 'states' | 'undoesOptOuts'>;
  readonly log: readonly SinkRecord<Suppression>[];
  /** Who opted out at the CRM before all. */
  readonly optedOut: ReadonlySet<string>;
  /** Whose states the CRM refuses for good. */
  readonly refused: ReadonlySet<string>;
  readonly report: PlayedReport;
  /** Recipients of dead letters, and their codes. */
  readonly deadLetters: readonly { readonly recipient: string; readonly code: string }[];
}

/** Promises that were broken, each in a few words. */
export function violationsIn(evidence: Evidence): string[] {
  return [
    ...notConverged(evidence),
    ...twice(evidence.report),
    ...reenabled(evidence),
    ...wronglyDead(evidence),
    ...new Set(evidence.report.fouls.map((foul) => `a call that must never be made: ${foul}`)),
  ];
}

/** Apart: on a machine that has too much to do, calls that were apart arrive together. */
export function limitViolationsIn({ over }: PlayedReport): string[] {
  return over > 0 ? [`${over} calls above the limit`] : [];
}

const ALL_MAIL = 'all';

/** What the CRM is to do with this state; undefined: it is left as it is. */
function wanted({ states }: Evidence['facts'], { suppressed, reasons }: Suppression): boolean | undefined {
  const names = reasons.flatMap(({ reason, scope }) => (scope === ALL_MAIL ? [reason] : []));
  if (suppressed) return names.some((name) => states[name].effect === 'suppresses') || undefined;
  const { effect } = states[reasons.length > 0 ? 'stream' : 'lifted'];
  return effect === 'allows' ? false : undefined;
}

function notConverged({ facts, log, optedOut, refused, report }: Evidence): string[] {
  const held = new Map(report.held);
  const wrong = [...newestStates(log).values()].filter((state) => {
    const { recipient } = state;
    const should = optedOut.has(recipient) && facts.undoesOptOuts === undefined ? true : wanted(facts, state);
    return !refused.has(recipient) && should !== undefined && (held.get(recipient) ?? false) !== should;
  });
  return counted(wrong, 'recipients are not at their newest state', ({ recipient }) => recipient);
}

function twice({ held }: PlayedReport): string[] {
  const seen = new Set<string>();
  const again = held.filter(([recipient]) => {
    const address = recipient.toLowerCase();
    return seen.has(address) || !seen.add(address);
  });
  return counted(again, 'contacts are there twice', ([recipient]) => recipient);
}

/** As often as the log lifts a recipient's suppression, the CRM may have mailed them again; who opted out themselves, never. */
function reenabled({ facts, log, optedOut, report }: Evidence): string[] {
  const lifts = liftsIn(facts, log);
  const wrong = Object.entries(report.reenabled).filter(([recipient, times]) => {
    const may = optedOut.has(recipient) && facts.undoesOptOuts === undefined ? 0 : lifts.get(recipient);
    return times > (may ?? 0);
  });
  return counted(wrong, 'recipients were mailed again without a reason', ([recipient]) => recipient);
}

/** Distinct states that let the CRM mail a recipient: an older one that comes once more is no reason. */
function liftsIn(facts: Evidence['facts'], log: Evidence['log']): Map<string, number> {
  const seen = new Set<string>();
  const lifts = new Map<string, number>();
  for (const { value } of log) {
    if (!value || seen.has(value.event_id)) continue;
    seen.add(value.event_id);
    if (wanted(facts, value) === false) lifts.set(value.recipient, (lifts.get(value.recipient) ?? 0) + 1);
  }
  return lifts;
}

function wronglyDead({ refused, deadLetters }: Evidence): string[] {
  const wrong = deadLetters.filter(({ recipient }) => !refused.has(recipient));
  return counted(wrong, 'states are dead letters that could have been delivered', ({ code }) => code);
}

function counted<T>(all: readonly T[], what: string, name: (one: T) => string): string[] {
  if (all.length === 0) return [];
  const some = [...new Set(all.map(name))].slice(0, 3).join(', ');
  return [`${all.length} ${what}: ${some}`];
}
