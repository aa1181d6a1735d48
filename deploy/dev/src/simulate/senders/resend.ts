import { resend as account } from '@email-events/esps/accounts/resend';
import type { Step } from '../lifecycle.ts';
import { campaignOf, type Description, everythingLeft } from './described.ts';
import { addressOf, metadataOf } from './sender.ts';

// Seen 2026-11: https://resend.com/docs/webhooks/event-types
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'email.sent', delivered: 'email.delivered', deferred: 'email.delivery_delayed' },
  ...{ bounced: 'email.bounced', dropped: 'email.suppressed', complained: 'email.complained' },
  ...{ opened: 'email.opened', clicked: 'email.clicked' },
};

export const resend: Description = {
  esp: 'resend',
  proof: 'signature',
  account: account.signer,
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
};

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
