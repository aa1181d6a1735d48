import type { OperatorAction } from '@email-events/schemas';
import { boundedScope, nameOf, shortened } from './suppression/evidence.ts';

/** Characters of what an operator says in the record of an action: one of any length would not fit its topic. */
const MAX_BY = 200;
const MAX_WHY = 2_000;

/** Why an action cannot be taken; undefined if it can. */
export function problemOf({ kind, source, from, to }: OperatorAction): string | undefined {
  switch (kind) {
    case 'suppress':
    case 'lift':
      return undefined;
    case 'retract':
      if (source === null || source === '') return 'the action does not say whose words it takes back';
      return from !== null && to !== null && from >= to ? 'the action takes back no time at all' : undefined;
    default:
      return 'the kind of action is unknown';
  }
}

/** The action as it is put on its topic. `now`: epoch milliseconds. */
export function takenAction(action: OperatorAction, changed: boolean, now: number): OperatorAction {
  const orNull = (text: string | null, bound: (text: string) => string) => text && bound(text);
  return {
    ...action,
    at: Math.min(action.at, now),
    by: shortened(action.by, MAX_BY),
    why: shortened(action.why, MAX_WHY),
    reason: orNull(action.reason, nameOf),
    scope: orNull(action.scope, boundedScope),
    source: orNull(action.source, nameOf),
    changed,
    taken_at: now,
  };
}
