import { smtp2go as account } from '@email-events/esps/accounts/smtp2go';
import type { Step } from '../lifecycle.ts';
import type { Description } from './described.ts';
import { addressOf, metadataOf } from './sender.ts';

// Seen 2026-11: https://developers.smtp2go.com/docs/webhooks-overview
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'processed', delivered: 'delivered', bounced: 'bounce', dropped: 'reject', opened: 'open' },
  ...{ clicked: 'click', complained: 'spam', unsubscribed: 'unsubscribe', subscribed: 'resubscribe' },
};

export const smtp2go: Description = {
  esp: 'smtp2go',
  proof: 'credential',
  account: account.signer,
  event({ step }, { runId }) {
    const { message, type, detail } = step;
    const { failure, client, url, dropReason } = detail;
    const address = addressOf(step);
    return {
      event: EVENTS[type],
      time: new Date(step.at).toISOString().replace('.000Z', 'Z'),
      sendtime: new Date(message.sentAt).toISOString(),
      email_id: message.id,
      'message-id': `<${message.id}@shop.example>`,
      ...(type === 'queued' ? { recipients: [address] } : { rcpt: address }),
      from_address: message.programme.sender,
      sender: message.programme.sender,
      subject: message.variant.subject,
      // Headers of the mail that the webhook asks for are merged into the event.
      ...metadataOf(step, runId),
      ...(failure ? { bounce: failure.bounceClass, message: failure.text, host: 'mx.example' } : {}),
      ...(type === 'delivered' ? { message: '250 2.0.0 OK', host: 'mx.example' } : {}),
      ...(dropReason ? { context: `recipient is suppressed: ${dropReason}` } : {}),
      ...(client ? { 'user-agent': client.userAgent, srchost: client.ip } : {}),
      ...(url === undefined ? {} : { url }),
    };
  },
};
