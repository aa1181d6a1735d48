import type { Account } from './kit/account.ts';
import { BASIC_PROOF, hexKey, inText, post, withSecret } from './kit/signing.ts';

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
} satisfies Account<string>;
