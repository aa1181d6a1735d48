import { loops as account } from '@email-events/esps/accounts/loops';
import type { Step } from '../lifecycle.ts';
import { campaignOf, type Description, everythingLeft } from './described.ts';
import { addressOf } from './sender.ts';

// Seen 2026-11: https://loops.so/docs/webhooks
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'campaign.email.sent', delivered: 'email.delivered', opened: 'email.opened' },
  ...{ clicked: 'email.clicked', complained: 'email.spamReported' },
};

export const loops: Description = {
  esp: 'loops',
  proof: 'signature',
  account: account.signer,
  names: (step) => ({ ...everythingLeft(step), campaign: campaignOf(step) }),
  event({ step }) {
    const { message, type, detail } = step;
    const bounce = detail.failure?.bounceClass === 'hard' ? 'email.hardBounced' : 'email.softBounced';
    return {
      eventName: type === 'bounced' ? bounce : EVENTS[type],
      webhookSchemaVersion: '1.0.0',
      eventTime: step.at / 1000,
      contactIdentity: { id: `contact${message.index}`, email: addressOf(step), userId: null },
      sourceType: 'campaign',
      campaignId: campaignOf(step),
      email: { id: message.id, emailMessageId: message.id, subject: message.variant.subject },
      mailingLists: [{ id: message.programme.stream, name: message.programme.stream, isPublic: true }],
    };
  },
};
