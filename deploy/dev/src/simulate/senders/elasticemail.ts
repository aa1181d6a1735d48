import { elasticemail as account } from '@email-events/esps/accounts/elasticemail';
import type { Failure, Step } from '../lifecycle.ts';
import type { Description } from './described.ts';
import { addressOf, metadataOf } from './sender.ts';

// Seen 2026-11: https://help.elasticemail.com/en/articles/4804685-notification-settings
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'Sent', bounced: 'Error', opened: 'Opened', clicked: 'Clicked' },
  ...{ complained: 'AbuseReport', unsubscribed: 'Unsubscribed' },
};
const CATEGORIES: { readonly [category in Failure['category']]: string } = {
  invalid_mailbox: 'NoMailbox',
  domain_not_found: 'DNSProblem',
  mailbox_full: 'Throttled',
  policy: 'BlackListed',
};

/** The event is the query of a GET. */
export const elasticemail: Description = {
  esp: 'elasticemail',
  proof: 'credential',
  account: account.signer,
  body: ([event]) => new URLSearchParams(event as { [name: string]: string }).toString(),
  garbage: ({ runId }) => `status=Sent&status=Opened&channel=${runId}`,
  unproven: (signed) => ({ ...signed, query: signed.query?.replace(/token=[^&]*&/, '') }),
  event({ step }, { runId }) {
    const { message, type, detail } = step;
    return {
      to: addressOf(step),
      from: message.programme.sender,
      subject: message.variant.subject,
      date: americanTime(step.at),
      status: EVENTS[type],
      channel: message.programme.tags[0] ?? '',
      account: 'shop@shop.example',
      messageid: message.id,
      transaction: `transaction-${message.index}`,
      category: detail.failure ? CATEGORIES[detail.failure.category] : '',
      target: detail.url ?? '',
      postback: JSON.stringify(metadataOf(step, runId)),
    };
  },
};

/** "11/2/2026 9:15:29 AM", UTC. */
function americanTime(at: number): string {
  const time = new Date(at);
  const [hours, two] = [time.getUTCHours(), (part: number) => String(part).padStart(2, '0')];
  const clock = `${hours % 12 || 12}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
  const date = `${time.getUTCMonth() + 1}/${time.getUTCDate()}/${time.getUTCFullYear()}`;
  return `${date} ${clock} ${hours < 12 ? 'AM' : 'PM'}`;
}
