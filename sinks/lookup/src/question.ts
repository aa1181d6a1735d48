import { keyOfAddress } from '@email-events/schemas';
import type { StoredReason, SuppressionState } from './state.ts';

/** The mail that somebody wants to send. */
export interface Mail {
  /** Its list, group or message stream; undefined: it is of none. */
  readonly stream?: string | undefined;
  /** The account that sends it; undefined: any. */
  readonly account?: string | undefined;
}

/** Whether this address may be mailed. */
export interface Answer {
  /** As it was asked. */
  readonly address: string;
  readonly mail: boolean;
  /** Why not; only where the answer is no. */
  readonly reasons?: readonly Reason[];
  /** Of the recipient's state; null: nothing is known, or the state is from before there were revisions. */
  readonly revision: number | null;
  /** The address is none, so nothing can be sent to it. */
  readonly problem?: 'LOOKUP_ADDRESS_INVALID';
}

interface Reason {
  readonly reason: string;
  readonly scope: string;
  /** ISO 8601. */
  readonly since: string;
  readonly esp: string;
  readonly source: string;
  readonly account: string | null;
}

const ACCOUNT = 'account:';

/** Answers from the state. Nothing that cannot be read, and nothing that is no address, is ever answered with yes. */
export function answerOf(state: SuppressionState, address: string, mail: Mail): Answer {
  const key = keyOfAddress(address);
  if (key === undefined) return { address, mail: false, revision: null, problem: 'LOOKUP_ADDRESS_INVALID' };
  const known = state.get(key);
  if (!known) return { address, mail: true, revision: null };
  const revision = known.revision === 0 ? null : known.revision;
  const against = known.reasons.filter(({ scope }) => speaksAgainst(scope, mail));
  if (against.length === 0) return { address, mail: true, revision };
  return { address, mail: false, reasons: against.map(reasonOf), revision };
}

/** A scope is all mail, all of an account, or the name of a stream. Who does not say the account may mean any. */
function speaksAgainst(scope: string, { stream, account }: Mail): boolean {
  if (scope === 'all' || scope === stream) return true;
  return scope.startsWith(ACCOUNT) && (account === undefined || scope === ACCOUNT + account);
}

const reasonOf = ({ reason, scope, since, esp, source, account }: StoredReason): Reason => ({
  ...{ reason, scope, since: new Date(since).toISOString(), esp, source, account },
});
