import type { Account } from './kit/account.ts';
import { BASIC_PROOF, hexKey, inText, withSecret } from './kit/signing.ts';
import { addressOf, metadataOf } from './kit/speech.ts';
import type { Failure, Step } from './kit/story.ts';

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

/** Elastic Email sends its events as the query of a GET, and proves itself by a token in it. */
export const elasticemail = {
  esp: 'elasticemail',
  newKey: hexKey,
  signer: (secret) =>
    withSecret('elasticemail', secret, (input) => {
      const event = input.body.toString();
      return {
        method: 'GET',
        url: `${input.url ?? '/'}?token=${encodeURIComponent(secret)}${event === '' ? '' : `&${event}`}`,
        headers: {},
        body: Buffer.alloc(0),
        receivedAt: input.receivedAt ?? input.at,
      };
    }),
  contract: {
    ...BASIC_PROOF,
    body: 'to=a%40example.com&status=Opened&date=11%2F2%2F2026+9%3A15%3A29+AM&messageid=m',
    proof: /&?token=[^&]*/,
    anyKey: true,
    times: inText('date'),
    bounce: null,
  },
  speech: {
    use: { share: 0.1, campaigns: 0.9 },
    silentOn: ['queued', 'deferred', 'dropped', 'subscribed', 'other'],
    wholeSeconds: true,
    body: ([event]) => new URLSearchParams(event as { [name: string]: string }).toString(),
    garbage: ({ runId }) => ({
      code: 'NORMALIZE_BODY_UNREADABLE',
      body: `status=Sent&status=Opened&channel=${runId}`,
    }),
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
  },
} satisfies Account<string>;

/** "11/2/2026 9:15:29 AM", UTC. */
function americanTime(at: number): string {
  const time = new Date(at);
  const [hours, two] = [time.getUTCHours(), (part: number) => String(part).padStart(2, '0')];
  const clock = `${hours % 12 || 12}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
  const date = `${time.getUTCMonth() + 1}/${time.getUTCDate()}/${time.getUTCFullYear()}`;
  return `${date} ${clock} ${hours < 12 ? 'AM' : 'PM'}`;
}
