import type { CallPace } from './capabilities.ts';
import type { Crm, CrmSettings, RecipientState } from './crm.ts';
import { CrmError } from './errors.ts';

/** A call that would be made. It may hold the recipient's address, and no secret. */
export interface PlannedCall {
  readonly method: string;
  readonly url: string;
  readonly body: string | undefined;
}

/**
 * The calls by which a CRM would be brought to a recipient's state now: it is read, and nothing is written. Of calls that follow from the
 * answer to one of these, as those that look whether it holds, nothing is known. Throws CrmError.
 */
export async function plannedCalls(
  crm: Crm,
  settings: CrmSettings,
  state: RecipientState,
  { pace, signal }: { readonly pace: CallPace | undefined; readonly signal: AbortSignal },
): Promise<PlannedCall[]> {
  const calls: PlannedCall[] = [];
  const adapter = crm.connect(settings, Date.now, pace, ({ method, url, body }) => {
    calls.push({ method, url: url.href, body });
  });
  try {
    await adapter.put(state, signal);
  } catch (error) {
    // Of a call that was not made.
    if (!(error instanceof CrmError) || error.failure !== 'unverified' || calls.length === 0) throw error;
  } finally {
    await adapter.close();
  }
  return calls;
}
