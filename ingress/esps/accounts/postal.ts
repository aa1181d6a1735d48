import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { Account } from './kit/account.ts';
import { inSeconds, post, SIGNED_BODY, withSecret } from './kit/signing.ts';
import { addressOf, eventIdOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://docs.postalserver.io/developer/webhooks
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'MessageSent', deferred: 'MessageDelayed', bounced: 'MessageDeliveryFailed' },
  ...{ opened: 'MessageLoaded', clicked: 'MessageLinkClicked' },
};
const STATUS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'Sent', deferred: 'SoftFail', bounced: 'HardFail' },
};

/** One RSA key signs for a whole installation, twice: newer ones by SHA-256 too. */
export const postal = {
  esp: 'postal',
  /** A private key, PEM, PKCS#8. */
  newKey: () =>
    generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  signer(pem) {
    const privateKey = createPrivateKey(pem);
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
  speech: {
    use: { share: 0.1, campaigns: 0.3 },
    silentOn: ['queued', 'dropped', 'complained', 'unsubscribed', 'subscribed', 'other'],
    hardBouncesOnly: true,
    omits: ['metadata'],
    event({ step }, context) {
      const { message, type, detail } = step;
      const { failure, client } = detail;
      const status = STATUS[type];
      return {
        event: EVENTS[type],
        timestamp: step.at / 1000,
        uuid: eventIdOf(step, context),
        payload: {
          message: {
            id: message.index,
            token: 'Xsk2Zt3pQ4',
            direction: 'outgoing',
            message_id: `${message.id}@mg.shop.example`,
            to: addressOf(step),
            from: message.programme.sender,
            subject: message.variant.subject,
            timestamp: message.sentAt / 1000,
            spam_status: 'NotChecked',
            tag: message.programme.tags[0] ?? null,
          },
          ...(status ? { status, details: `${status} by the server`, sent_with_ssl: true, time: 0.31 } : {}),
          ...(status ? { output: failure?.text ?? '250 2.0.0 OK', timestamp: step.at / 1000 } : {}),
          ...(client ? { ip_address: client.ip, user_agent: client.userAgent } : {}),
          ...(detail.url === undefined ? {} : { url: detail.url, token: 'Lq7c' }),
        },
      };
    },
  },
} satisfies Account<string>;
