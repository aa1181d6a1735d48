import { recipientKey } from '@email-events/schemas';
import { type EraseResult, forAll } from './crm.ts';
import { CrmError } from './errors.ts';
import { type Follow, poll, SETTLE } from './jobs.ts';

/** How to erase the contacts of one address. */
export interface ErasableContacts {
  /** Ids of those that are left, or of the first of them. Must have judged the address of each (`isSame`): a filter may be passed over. */
  find(signal: AbortSignal): Promise<readonly string[]>;
  /** One that is gone already is none to fail of. */
  remove(id: string, signal: AbortSignal): Promise<void>;
  /** A removal is proven by its answer: the CRM finds for minutes what is gone. */
  readonly findsLate?: boolean;
}

/** Contacts of one address, and many more: a listing that names ever further ones is no listing of them. */
const MOST_CONTACTS = 10_000;

/** Erases all contacts of an address, and looks until none is left: not what a call was answered counts, but what the CRM has. Throws CrmError. */
export async function eraseAll(
  { find, remove, findsLate = false }: ErasableContacts,
  signal: AbortSignal,
  follow: Follow = SETTLE,
): Promise<EraseResult> {
  const removed = new Set<string>();
  const end = async (): Promise<EraseResult | undefined> => {
    for (;;) {
      const left = await find(signal);
      const further = left.filter((id) => !removed.has(id));
      if (left.length === 0) return removed.size > 0 ? 'erased' : 'absent';
      if (further.length === 0) return findsLate ? 'erased' : undefined;
      if (removed.size > MOST_CONTACTS)
        throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'the contacts of one address have no end');
      await forAll(further, (id) => remove(id, signal));
      for (const id of further) removed.add(id);
    }
  };
  return (await poll(end, signal, follow)) ?? 'underWay';
}

/** Whether an address as the CRM has it is the recipient's. */
export const isSame = (address: string | null | undefined, recipient: string): boolean =>
  typeof address === 'string' && recipientKey(address) === recipientKey(recipient);
