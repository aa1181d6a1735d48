import type { Account } from './kit/account.ts';
import { inText, STANDARD_PROOF, standardWebhooks } from './kit/signing.ts';
import { addressOf, campaignOf, everythingLeft, metadataOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://resend.com/docs/webhooks/event-types
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'email.sent', delivered: 'email.delivered', deferred: 'email.delivery_delayed' },
  ...{ bounced: 'email.bounced', dropped: 'email.suppressed', complained: 'email.complained' },
  ...{ opened: 'email.opened', clicked: 'email.clicked' },
};

export const resend = {
  ...standardWebhooks('resend', 'svix'),
  contract: {
    ...STANDARD_PROOF,
    body: '{"type":"email.opened","created_at":"2026-11-02T09:15:29.000Z","data":{"email_id":"m","to":["a@example.com"]}}',
    times: inText('created_at', 'timestamp'),
    bounce: ({ line, to, iso }) => ({
      type: 'email.bounced',
      created_at: iso,
      data: {
        email_id: 'm',
        to: [to],
        bounce: { type: 'Permanent', subType: 'General', message: 'x', diagnosticCode: [line] },
      },
    }),
  },
  speech: {
    use: { share: 0.1, campaigns: 0.3 },
    silentOn: ['unsubscribed', 'subscribed', 'other'],
    signsAnew: true,
    names: (step) => ({ ...everythingLeft(step), campaign: campaignOf(step) }),
    event({ step }, { runId }) {
      const { message } = step;
      const address = addressOf(step);
      return {
        type: EVENTS[step.type],
        created_at: new Date(step.at).toISOString(),
        data: {
          email_id: message.id,
          created_at: new Date(message.sentAt).toISOString(),
          broadcast_id: campaignOf(step),
          from: `Shop <${message.programme.sender}>`,
          to: address === '' ? [] : [address],
          subject: message.variant.subject,
          tags: metadataOf(step, runId),
          ...details(step),
        },
      };
    },
  },
} satisfies Account<string>;

function details({ type, detail: { failure, dropReason, client, url } }: Step): object {
  const seen = { ipAddress: client?.ip, userAgent: client?.userAgent };
  switch (type) {
    case 'bounced':
      return {
        bounce: {
          type: failure?.bounceClass === 'hard' ? 'Permanent' : 'Transient',
          subType: failure?.category === 'mailbox_full' ? 'MailboxFull' : 'General',
          message: 'The recipient’s server refused the message.',
          diagnosticCode: [`smtp; ${failure?.text}`],
        },
      };
    case 'dropped':
      return { suppressed: { type: 'OnAccountSuppressionList', message: `Suppressed: ${dropReason}` } };
    case 'opened':
      return { open: seen };
    case 'clicked':
      return { click: { ...seen, link: url } };
    default:
      return {};
  }
}
