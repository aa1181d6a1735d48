import type { Account } from './kit/account.ts';
import { hexKey, hmacOf, inSeconds, post, SIGNED_BODY, twiceInList, withSecret } from './kit/signing.ts';

/** The URL that is configured at Mandrill: it signs this one, wherever a proxy or a test reaches the ingress. */
const URL = 'https://hooks.example.com/webhooks/email-events/mandrill';

/** Mandrill sends its events as a field of a form, and signs URL, field name and value. */
export const mandrill = {
  esp: 'mandrill',
  newKey: hexKey,
  signer: (secret) =>
    withSecret(
      'mandrill',
      secret,
      (input) => {
        const events = Buffer.from(input.body);
        const body = Buffer.from(`mandrill_events=${formEncoded(events)}`);
        const signature = hmacOf('sha1', secret, `${URL}mandrill_events`, events).toString('base64');
        const contentType = input.contentType ?? 'application/x-www-form-urlencoded';
        return post({ ...input, contentType }, body, { 'x-mandrill-signature': signature });
      },
      { url: URL },
    ),
  contract: {
    ...SIGNED_BODY,
    body: '[{"event":"open","ts":1793610929,"_id":"m","msg":{"_id":"m","email":"a@example.com"}}]',
    rewritable: true,
    anyKey: true,
    times: inSeconds('ts'),
    bounce: ({ line, to, at }) => [
      {
        ...{ event: 'hard_bounce', _id: 'm', ts: at },
        msg: { _id: 'm', email: to, bounce_description: 'general', diag: `smtp;${line}` },
      },
    ],
    batch: twiceInList,
  },
} satisfies Account<string>;

/** As URLSearchParams does, of bytes in any encoding. */
function formEncoded(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(
      /[^A-Za-z0-9*\-._ ]/g,
      (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .replaceAll(' ', '+');
}
