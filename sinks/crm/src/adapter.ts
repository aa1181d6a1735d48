import type { Suppression } from '@email-events/schemas';
import { CrmError } from './errors.ts';

/** A recipient's state as the topic has it. */
export interface RecipientState {
  readonly suppression: Suppression;
  /**
   * Epoch milliseconds at which the record was written to the topic: the version of the state. `changed_at` is none,
   * since an older event that arrives late leads to a newer state.
   */
  readonly recordedAt: number;
}

/** written: the CRM took it. unchanged: the CRM already had it. */
export type PutResult = 'written' | 'unchanged';

/**
 * One CRM. The sink around it owns order (one call at a time for a recipient), the number of calls under way,
 * pauses, the circuit breaker, verdicts and metrics; an adapter says how to make a call, and throws CrmError.
 * It keeps no state about recipients and never retries.
 */
export interface CrmAdapter {
  readonly name: string;
  /** Is the CRM there? Leaves no trace. */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Brings the CRM to this state. Called again with the same state after a lost answer, and after a restart with
   * states the CRM may already be past: must be idempotent, and must not replace a newer state where the CRM can tell.
   * A CRM without a conditional write goes through `readPatchVerify`.
   */
  put(state: RecipientState, signal: AbortSignal): Promise<PutResult>;
  close(): Promise<void>;
}

/** How to reach one contact in a CRM that has no conditional write. */
export interface ContactAccess<Patch> {
  /** Reads the contact: the smallest change that brings it to the state, undefined if there is nothing to change. */
  difference(state: RecipientState, signal: AbortSignal): Promise<Patch | undefined>;
  apply(patch: Patch, signal: AbortSignal): Promise<void>;
}

/** read → minimal patch → read back. A write that someone else undid meanwhile is not reported as done. */
export async function readPatchVerify<Patch>(
  contacts: ContactAccess<Patch>,
  state: RecipientState,
  signal: AbortSignal,
): Promise<PutResult> {
  const patch = await contacts.difference(state, signal);
  if (patch === undefined) return 'unchanged';
  await contacts.apply(patch, signal);
  const left = await contacts.difference(state, signal);
  if (left === undefined) return 'written';
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'read back, the contact has another state');
}
