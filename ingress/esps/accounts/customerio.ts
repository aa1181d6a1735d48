import type { Account } from './kit/account.ts';
import { HOUR, hexKey, hmacOf, inSeconds, post, SIGNED_BODY, secondsOf, withSecret } from './kit/signing.ts';

export const customerio = {
  esp: 'customerio',
  newKey: hexKey,
  signer: (secret) =>
    withSecret('customerio', secret, (input) => {
      const body = Buffer.from(input.body);
      const timestamp = secondsOf(input);
      const signature = hmacOf('sha256', secret, `v0:${timestamp}:`, body).toString('hex');
      return post(input, body, { 'x-cio-timestamp': timestamp, 'x-cio-signature': signature });
    }),
  contract: {
    ...SIGNED_BODY,
    body: '{"event_id":"e1","object_type":"email","metric":"opened","timestamp":1793610929,"data":{"recipient":"a@example.com"}}',
    window: { past: 169 * HOUR, future: 300_000 },
    anyKey: true,
    times: inSeconds('timestamp'),
    bounce: ({ line, to, at }) => ({
      ...{ object_type: 'email', metric: 'bounced', event_id: 'e', timestamp: at },
      data: { recipient: to, delivery_id: 'd', failure_message: line },
    }),
  },
} satisfies Account<string>;
