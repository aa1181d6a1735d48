import type { Account } from './kit/account.ts';
import { BASIC_PROOF, basicAuthentication, inText } from './kit/signing.ts';
import { addressOf, metadataOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://developers.smtp2go.com/docs/webhooks-overview
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'processed', delivered: 'delivered', bounced: 'bounce', dropped: 'reject', opened: 'open' },
  ...{ clicked: 'click', complained: 'spam', unsubscribed: 'unsubscribe', subscribed: 'resubscribe' },
};

export const smtp2go = {
  ...basicAuthentication('smtp2go'),
  contract: {
    ...BASIC_PROOF,
    body: '{"event":"open","time":"2026-11-02T09:15:29Z","rcpt":"a@example.com","email_id":"m"}',
    times: inText('time'),
    bounce: ({ line, to, iso }) => ({
      ...{ event: 'bounce', bounce: 'hard', rcpt: to, email_id: 'm', time: iso, message: line },
    }),
  },
  speech: {
    use: { share: 0.1, campaigns: 0.3 },
    silentOn: ['deferred', 'other'],
    returns: ['all'],
    wholeSeconds: true,
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
  },
} satisfies Account<string>;
