import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { Account } from './kit/account.ts';
import { HOUR, inSeconds, post, SIGNED_BODY, secondsOf, twiceInList, withSecret } from './kit/signing.ts';

export const sendgrid = {
  esp: 'sendgrid',
  /** A private key, PEM, PKCS#8, P-256. */
  newKey: () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  signer(pem) {
    const privateKey = createPrivateKey(pem);
    const secret = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
    return withSecret('sendgrid', secret, (input) => {
      const body = Buffer.from(input.body);
      const timestamp = secondsOf(input);
      const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), body]), privateKey);
      return post(input, body, {
        'x-twilio-email-event-webhook-signature': signature.toString('base64'),
        'x-twilio-email-event-webhook-timestamp': timestamp,
      });
    });
  },
  contract: {
    ...SIGNED_BODY,
    body: '[{"email":"a@example.com","event":"open","timestamp":1793610930,"sg_event_id":"e1"}]\r\n',
    window: { past: 25 * HOUR, future: 300_000 },
    times: inSeconds('timestamp'),
    bounce: ({ status, line, to, at }) => [
      { event: 'bounce', type: 'bounce', email: to, timestamp: at, sg_event_id: 'e', status, reason: line },
    ],
    batch: twiceInList,
  },
} satisfies Account<string>;
