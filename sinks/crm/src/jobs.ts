import { setTimeout as sleep } from 'node:timers/promises';
import { type ContactAccess, type PutResult, type RecipientState, readPatchVerify } from './crm.ts';
import { CrmError } from './errors.ts';

export interface Follow {
  /** First wait, which doubles up to `mostMs`. Milliseconds. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** Waits, all together, after which no more is asked. Milliseconds. */
  readonly patienceMs: number;
}

const FOLLOW: Follow = { firstMs: 100, mostMs: 5_000, patienceMs: 300_000 };
/** Longer than a backlog there should last: a write that does not show at all is one that does not hold. */
export const SETTLE: Follow = { firstMs: 100, mostMs: 5_000, patienceMs: 60_000 };

/**
 * Follows a job of the CRM to its end: asks `ended` until it returns something. A job that takes too long says that the CRM has too much to do;
 * so that opens no breaker and pauses no other record. Throws `signal`'s reason when the caller gives up.
 */
export async function followJob<T>(
  ended: () => Promise<T | undefined>,
  signal: AbortSignal,
  follow: Follow = FOLLOW,
): Promise<T> {
  const end = await poll(ended, signal, follow);
  if (end !== undefined) return end;
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'its job has not ended yet');
}

/** `readPatchVerify` for a CRM that shows a write some time after it took it: it is read back until it holds. */
export function readPatchSettle<Patch>(
  contacts: ContactAccess<Patch>,
  state: RecipientState,
  signal: AbortSignal,
  follow: Follow = SETTLE,
): Promise<PutResult> {
  let applied = false;
  const difference = async () => {
    if (!applied) return contacts.difference(state, signal);
    let left: Patch | undefined;
    await poll(
      async () => {
        left = await contacts.difference(state, signal);
        return left === undefined ? 'settled' : undefined;
      },
      signal,
      follow,
    );
    return left;
  };
  const apply = async (patch: Patch) => {
    await contacts.apply(patch, signal);
    applied = true;
  };
  return readPatchVerify({ ...contacts, difference, apply }, state, signal);
}

/** Undefined if it is not there when patience ends. */
export async function poll<T>(
  ask: () => Promise<T | undefined>,
  signal: AbortSignal,
  { firstMs, mostMs, patienceMs }: Follow,
): Promise<T | undefined> {
  let waited = 0;
  for (let waitMs = firstMs; ; waitMs = Math.min(mostMs, waitMs * 2)) {
    const found = await ask();
    if (found !== undefined || waited >= patienceMs) return found;
    await pause(waitMs, signal);
    waited += waitMs;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
