import type { CallPace } from './capabilities.ts';
import type { Crm, CrmAdapter, CrmSettings, RecipientState } from './crm.ts';
import { CrmError } from './errors.ts';

/** A call that would be made. It may hold the recipient's address, and no secret. */
export interface PlannedCall {
  readonly method: string;
  readonly url: string;
  readonly body: string | undefined;
}

interface PlanOptions {
  readonly pace: CallPace | undefined;
  readonly signal: AbortSignal;
}

/**
 * The calls by which a CRM would be brought to a recipient's state now: it is read, and nothing is written. Of calls that follow from the
 * answer to one of these, as those that look whether it holds, nothing is known. Throws CrmError.
 */
export const plannedCalls = (crm: Crm, settings: CrmSettings, state: RecipientState, options: PlanOptions) =>
  planned(crm, settings, (adapter) => adapter.put(state, options.signal), options.pace);

/** The calls by which a recipient would be erased, in the same way: none if the CRM has no contact, or no such call. */
export const plannedErasure = (crm: Crm, settings: CrmSettings, recipient: string, options: PlanOptions) =>
  planned(crm, settings, async (adapter) => adapter.erase?.(recipient, options.signal), options.pace);

async function planned(
  crm: Crm,
  settings: CrmSettings,
  work: (adapter: CrmAdapter) => Promise<unknown>,
  pace: CallPace | undefined,
): Promise<PlannedCall[]> {
  const calls: PlannedCall[] = [];
  const adapter = crm.connect(settings, Date.now, pace, ({ method, url, body }) => {
    calls.push({ method, url: url.href, body });
  });
  try {
    await work(adapter);
  } catch (error) {
    // Of a call that was not made.
    if (!(error instanceof CrmError) || error.failure !== 'unverified' || calls.length === 0) throw error;
  } finally {
    await adapter.close();
  }
  return calls;
}
