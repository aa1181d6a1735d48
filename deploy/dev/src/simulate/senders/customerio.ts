import { customerio as account } from '@email-events/esps/accounts/customerio';
import type { Step } from '../lifecycle.ts';
import { PROGRAMMES } from '../population.ts';
import { type Description, eventIdOf, everythingLeft } from './described.ts';
import { addressOf } from './sender.ts';

// Seen 2026-11: https://docs.customer.io/api/webhooks
const METRICS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'sent', delivered: 'delivered', deferred: 'deferred', bounced: 'bounced' },
  ...{ dropped: 'dropped', opened: 'opened', clicked: 'clicked', complained: 'spammed' },
  ...{ unsubscribed: 'unsubscribed', subscribed: 'subscribed' },
};

export const customerio: Description = {
  esp: 'customerio',
  proof: 'signature',
  account: account.signer,
  names: (step) => ({
    ...everythingLeft(step),
    campaign: numberOf(step)?.toString(),
    machine: step.type === 'opened' || step.type === 'clicked' ? step.detail.machine : undefined,
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
};

/** Campaigns have numbers, not names. */
function numberOf({ message: { programme } }: Step): number | undefined {
  return programme.kind === 'campaign' ? 101 + PROGRAMMES.indexOf(programme) : undefined;
}
