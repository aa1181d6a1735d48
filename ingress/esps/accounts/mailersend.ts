import type { Account } from './kit/account.ts';
import { bodyHmac, inText, SIGNED_BODY } from './kit/signing.ts';
import { addressOf, eventIdOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://developers.mailersend.com/api/v1/webhooks.html
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'sent', delivered: 'delivered', deferred: 'deferred', dropped: 'suppressed' },
  ...{ opened: 'opened', clicked: 'clicked', complained: 'spam_complaint', unsubscribed: 'unsubscribed' },
};

export const mailersend = {
  ...bodyHmac('mailersend', 'signature'),
  contract: {
    ...SIGNED_BODY,
    body: '{"type":"activity.opened","data":{"id":"e1","created_at":"2026-11-02T09:15:29Z","email":"a@example.com"}}',
    anyKey: true,
    times: inText('created_at'),
    bounce: ({ code, line, to, iso }) => ({
      type: 'activity.hard_bounced',
      data: { id: 'e', created_at: iso, email: to, meta: { bounce_code: code, bounce_reason: line } },
    }),
  },
  speech: {
    use: { share: 0.1, campaigns: 0.5 },
    silentOn: ['subscribed', 'other'],
    omits: ['metadata'],
    event({ step, again }, context) {
      const { message, type, detail } = step;
      const at = new Date(step.at).toISOString().replace('Z', '000Z');
      const bounce = detail.failure?.bounceClass === 'hard' ? 'hard_bounced' : 'soft_bounced';
      // The first opening of a message, and the first click, are told under two names.
      const twin = again && (type === 'opened' || type === 'clicked') ? '_unique' : '';
      const name = `activity.${type === 'bounced' ? bounce : EVENTS[type]}${twin}`;
      return {
        type: name,
        domain_id: 'yv69oxl5kl785kw2',
        created_at: at,
        webhook_id: '2351ndgwr4zqx8ko',
        data: {
          object: 'activity',
          id: eventIdOf(step, context),
          type: name.slice('activity.'.length),
          created_at: at,
          email: {
            object: 'email',
            id: `email-${message.id}`,
            created_at: new Date(message.sentAt).toISOString(),
            from: message.programme.sender,
            subject: message.variant.subject,
            status: type,
            tags: message.programme.tags,
            message: { object: 'message', id: message.id },
            recipient: { object: 'recipient', email: addressOf(step) },
          },
          morph: morphOf(step),
        },
      };
    },
  },
} satisfies Account<string>;

function morphOf({ type, detail: { failure, dropReason, client, url } }: Step): object | null {
  const seen = { object: type, ip: client?.ip, user_agent: client?.userAgent };
  if (failure) return { object: 'recipient_bounce', reason: failure.text };
  if (type === 'dropped') return { object: 'suppression', reason: `suppressed: ${dropReason}` };
  if (type === 'clicked') return { ...seen, url };
  return client ? seen : null;
}
