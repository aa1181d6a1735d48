import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { Account } from './kit/account.ts';
import { inSeconds, post, SIGNED_BODY, withSecret } from './kit/signing.ts';

/** One RSA key signs for a whole installation, twice: newer ones by SHA-256 too. */
export const postal = {
  esp: 'postal',
  /** A private key, PEM, PKCS#8. */
  newKey: () =>
    generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  signer(privateKey) {
    const secret = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
    return withSecret('postal', secret, (input) => {
      const body = Buffer.from(input.body);
      return post(input, body, {
        'x-postal-signature': sign('sha1', body, privateKey).toString('base64'),
        'x-postal-signature-256': sign('sha256', body, privateKey).toString('base64'),
      });
    });
  },
  contract: {
    ...SIGNED_BODY,
    body: '{"event":"MessageLoaded","timestamp":1793610929.25,"payload":{"message":{"to":"a@example.com"}},"uuid":"u1"}',
    proof: /signature/,
    times: inSeconds('timestamp'),
    bounce: ({ line, to, at }) => ({
      event: 'MessageDeliveryFailed',
      timestamp: at,
      uuid: 'u',
      payload: {
        message: { id: 1, to, direction: 'outgoing' },
        status: 'HardFail',
        details: 'Permanent SMTP delivery error when sending to mx.example.com',
        output: line,
      },
    }),
  },
} satisfies Account<string>;
