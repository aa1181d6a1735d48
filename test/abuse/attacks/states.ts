import { ALL_ESPS, draftOf, type Story } from '../story.ts';
import type { Attack } from './attack.ts';

const FAR = Date.UTC(2099, 0, 1);

/** So many streams left that no state holds them, and then a person's own unsubscribe finds no room. */
const manyScopes: Attack = {
  ...{ name: '460 streams left by one recipient', share: 3, answer: 'taken', esps: ['standard-webhooks'] },
  blow(esp, context) {
    const recipient = context.victim();
    const account = context.random.pick([context.hostile, context.leaked]);
    const [first, ...rest] = Array.from({ length: 460 }, (_, i): Story => {
      const stream = `stream-${i}-${'x'.repeat(100)}`;
      const id = context.next();
      return { type: 'unsubscribed', recipient, id, run: context.run, scope: 'stream', stream };
    });
    return first ? [account.request(esp, draftOf(esp, [first, ...rest]))] : [];
  },
};

/** Were it believed, every unsubscribe of the next decades would be void. */
const subscribedForEver: Attack = {
  ...{ name: 'a resubscription in 2099, of another account', share: 4, answer: 'taken' },
  esps: ['sendgrid', 'ses', 'standard-webhooks', 'customerio', 'unisender-go', 'smtp2go', 'postmark'],
  blow(esp, context) {
    const recipient = context.victim();
    const account = context.random.pick([context.hostile, context.leaked]);
    return (['all', 'stream'] as const).map((scope) =>
      account.request(
        esp,
        draftOf(esp, [
          { type: 'subscribed', recipient, id: context.next(), run: context.run, at: FAR, scope },
        ]),
      ),
    );
  },
};

/** Were it believed, no number of soft bounces would ever count again. */
const deliveredForEver: Attack = {
  ...{ name: 'a delivery in 2099, of another account', share: 4, answer: 'taken', esps: ALL_ESPS },
  blow(esp, context) {
    const recipient = context.victim();
    const account = context.random.pick([context.hostile, context.leaked]);
    const id = context.next();
    return [
      account.request(esp, draftOf(esp, [{ type: 'delivered', recipient, id, run: context.run, at: FAR }])),
    ];
  },
};

/** Complaints and hard bounces about other people's recipients, by an account that may suppress its own streams only. */
const suppressOthers: Attack = {
  ...{ name: 'hard bounces of another account’s recipients', share: 4, answer: 'taken', esps: ALL_ESPS },
  blow(esp, context) {
    const story: Story = {
      ...{ type: 'bounced', recipient: context.victim(), id: context.next(), run: context.run },
      diagnostic: '550 5.1.1 No such user here',
    };
    return [context.hostile.request(esp, draftOf(esp, [story]))];
  },
};

/** Ten complaints under the name of somebody else's campaign. */
const campaignName: Attack = {
  ...{ name: 'complaints under another account’s campaign', share: 3, answer: 'taken' },
  esps: ['sendgrid', 'mailgun', 'ses', 'standard-webhooks', 'resend', 'mailjet', 'brevo', 'sparkpost'],
  blow(esp, context) {
    const campaign = context.random.pick(['spring-sale', 'product-news', 'loyalty-points']);
    return Array.from({ length: 5 }, () => {
      const id = context.next();
      const recipient = `angry${id}.${context.run}@example.com`;
      return context.hostile.request(
        esp,
        draftOf(esp, [{ type: 'complained', recipient, id, run: context.run, campaign }]),
      );
    });
  },
};

export const stateAttacks: readonly Attack[] = [
  ...[manyScopes, subscribedForEver, deliveredForEver, suppressOthers, campaignName],
];
