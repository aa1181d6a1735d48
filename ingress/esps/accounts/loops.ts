import type { Account } from './kit/account.ts';
import { inSeconds, STANDARD_PROOF, standardWebhooks } from './kit/signing.ts';
import { addressOf, campaignOf, everythingLeft } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://loops.so/docs/webhooks
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'campaign.email.sent', delivered: 'email.delivered', opened: 'email.opened' },
  ...{ clicked: 'email.clicked', complained: 'email.spamReported' },
};

export const loops = {
  ...standardWebhooks('loops'),
  contract: {
    ...STANDARD_PROOF,
    body: '{"eventName":"email.opened","eventTime":1793610929,"contactIdentity":{"email":"a@example.com"},"email":{"id":"m"}}',
    times: inSeconds('eventTime'),
    bounce: null,
  },
  speech: {
    use: { share: 0.1, campaigns: 1 },
    silentOn: ['deferred', 'dropped', 'unsubscribed', 'subscribed', 'other'],
    wholeSeconds: true,
    signsAnew: true,
    omits: ['metadata', 'url'],
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
  },
} satisfies Account<string>;
