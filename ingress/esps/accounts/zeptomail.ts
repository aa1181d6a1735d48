import type { Account } from './kit/account.ts';
import { BASIC_PROOF, hexKey, inText, post, withSecret } from './kit/signing.ts';
import { addressOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://www.zoho.com/zeptomail/help/webhooks.html
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'delivered', opened: 'email_open', clicked: 'email_link_click' },
};

/** ZeptoMail sends an authorization header of the operator's choice. */
export const zeptomail = {
  esp: 'zeptomail',
  newKey: () => `Key ${hexKey()}`,
  signer: (secret) =>
    withSecret('zeptomail', secret, (input) =>
      post(input, Buffer.from(input.body), { authorization: secret }),
    ),
  contract: {
    ...BASIC_PROOF,
    body: '{"event_name":["email_open"],"event_message":[{"email_info":{"to":[{"email_address":{"address":"a@example.com"}}]},"event_data":[{"object":"email_open","details":[{"time":1793610929}]}]}]}',
    anyKey: true,
    times: inText('time'),
    bounce: ({ line, to, iso }) => ({
      event_name: ['hardbounce'],
      event_message: [
        {
          request_id: 'r',
          email_info: {},
          event_data: [
            {
              object: 'hardbounce',
              details: [{ bounced_recipient: to, time: iso, diagnostic_message: line }],
            },
          ],
        },
      ],
    }),
    metadataKey: 'client_reference',
  },
  speech: {
    use: { share: 0.1, campaigns: 0 },
    silentOn: ['queued', 'deferred', 'dropped', 'complained', 'unsubscribed', 'subscribed', 'other'],
    wholeSeconds: true,
    omits: ['metadata'],
    event({ step }, { random }) {
      const { message, type, detail } = step;
      const { failure, client, url } = detail;
      const bounce = failure?.bounceClass === 'hard' ? 'hardbounce' : 'softbounce';
      const name = type === 'bounced' ? bounce : EVENTS[type];
      const address = addressOf(step);
      return {
        event_name: [name],
        event_message: [
          {
            request_id: message.id,
            email_info: {
              from: { address: message.programme.sender, name: 'Shop' },
              to: [{ email_address: { address, name: '' } }],
              subject: message.variant.subject,
              is_smtp_trigger: false,
              processed_time: new Date(message.sentAt).toISOString(),
              object: 'email',
            },
            event_data: [
              {
                object: name,
                details: [
                  {
                    time: new Date(step.at).toISOString().replace('.000Z', '+00:00'),
                    ...(failure ? { reason: failure.text, diagnostic_message: failure.text } : {}),
                    ...(failure ? { bounced_recipient: address } : {}),
                    ...(client ? { ip_address: client.ip, user_agent: client.userAgent } : {}),
                    ...(url === undefined ? {} : { clicked_link: url }),
                  },
                ],
              },
            ],
          },
        ],
        mailagent_key: '2f5ac1b7c0d7',
        webhook_request_id: random.uuid(),
      };
    },
  },
} satisfies Account<string>;
