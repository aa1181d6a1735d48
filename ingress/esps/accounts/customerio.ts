import type { Account } from './kit/account.ts';
import { HOUR, hexKey, hmacOf, inSeconds, post, SIGNED_BODY, secondsOf, withSecret } from './kit/signing.ts';
import { addressOf, eventIdOf, everythingLeft, machineOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://docs.customer.io/api/webhooks
const METRICS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'sent', delivered: 'delivered', deferred: 'deferred', bounced: 'bounced' },
  ...{ dropped: 'dropped', opened: 'opened', clicked: 'clicked', complained: 'spammed' },
  ...{ unsubscribed: 'unsubscribed', subscribed: 'subscribed' },
};

/** Campaigns have numbers, not names. */
const CAMPAIGNS: { readonly [name: string]: number } = {
  ...{ 'spring-sale': 101, 'product-news': 102, 'loyalty-points': 103 },
};

export const customerio = {
  esp: 'customerio',
  newKey: hexKey,
  signer: (secret) =>
    withSecret('customerio', secret, (input) => {
      const body = Buffer.from(input.body);
      const timestamp = secondsOf(input);
      const signature = hmacOf('sha256', secret, `v0:${timestamp}:`, body).toString('hex');
      return post(input, body, { 'x-cio-timestamp': timestamp, 'x-cio-signature': signature });
    }),
  contract: {
    ...SIGNED_BODY,
    body: '{"event_id":"e1","object_type":"email","metric":"opened","timestamp":1793610929,"data":{"recipient":"a@example.com"}}',
    window: { past: 169 * HOUR, future: 300_000 },
    anyKey: true,
    times: inSeconds('timestamp'),
    bounce: ({ line, to, at }) => ({
      ...{ object_type: 'email', metric: 'bounced', event_id: 'e', timestamp: at },
      data: { recipient: to, delivery_id: 'd', failure_message: line },
    }),
  },
  speech: {
    use: { share: 0.1, campaigns: 0.9 },
    silentOn: ['other'],
    returns: ['all'],
    wholeSeconds: true,
    omits: ['metadata'],
    names: (step) => ({
      ...everythingLeft(step),
      campaign: numberOf(step)?.toString(),
      machine: machineOf(step),
    }),
    event({ step }, context) {
      const { message, type, detail } = step;
      const ofCustomer = type === 'unsubscribed' || type === 'subscribed';
      return {
        event_id: eventIdOf(step, context),
        object_type: ofCustomer ? 'customer' : 'email',
        metric: METRICS[type],
        timestamp: step.at / 1000,
        data: {
          customer_id: `c${message.index}`,
          identifiers: { id: `c${message.index}`, email: addressOf(step) },
          recipient: ofCustomer ? undefined : addressOf(step),
          delivery_id: message.id,
          campaign_id: numberOf(step),
          action_id: 3,
          subject: message.variant.subject,
          failure_message: detail.failure?.text ?? detail.dropReason,
          href: detail.url,
          machine: detail.machine,
        },
      };
    },
  },
} satisfies Account<string>;

function numberOf({ message: { programme } }: Step): number | undefined {
  return programme.kind === 'campaign' ? (CAMPAIGNS[programme.name] ?? 100) : undefined;
}
