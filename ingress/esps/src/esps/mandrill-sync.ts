import type { EspEvent } from '../adapter.ts';
import { text } from '../reading/fields.ts';
import { type JsonObject, objectOf } from '../reading/json.ts';

// Changes of the reject list ("blacklist") and of the allow list. Seen 2026-11:
// https://mailchimp.com/developer/transactional/docs/webhooks/

/** The entry goes by itself after some days. */
const PASSING: ReadonlySet<string> = new Set(['soft-bounce', 'test']);
/** That such an entry is removed says that the address works again, nothing of consent. */
const NO_CHOICE: ReadonlySet<string> = new Set(['hard-bounce', 'spam', 'invalid', ...PASSING]);

/** Whether Mandrill will write to an address from now on; undefined if the change does not decide that. */
export function choiceOf(
  vendorType: string,
  event: JsonObject,
): Pick<EspEvent, 'type' | 'scope' | 'stream' | 'method'> | undefined {
  const { reason, subaccount } = objectOf(event.reject);
  // An entry can hold for one subaccount.
  const stream = text(subaccount);
  const shared = { scope: stream ?? 'all', stream, method: text(reason) };
  switch (vendorType) {
    case 'blacklist add':
    case 'blacklist change':
      return PASSING.has(text(reason) ?? '') ? undefined : { type: 'unsubscribed', ...shared };
    case 'blacklist remove':
      return NO_CHOICE.has(text(reason) ?? '') ? undefined : { type: 'subscribed', ...shared };
    case 'whitelist add':
      return { type: 'subscribed', scope: 'all', method: 'whitelist' };
    default:
      return undefined;
  }
}
