import { randomBytes } from 'node:crypto';
import { hmac } from '../schemes/hmac.ts';
import { NO_RESOURCES, post, type Signer } from './signer.ts';

const URL = 'https://hooks.example.com/webhooks/email-events/mandrill';

/** A Mandrill webhook. `signingKey`: sign with another key than the source is told of. */
export function mandrillSigner(
  secret = randomBytes(16).toString('base64url'),
  signingKey: string = secret,
): Signer {
  return {
    esp: 'mandrill',
    settings: { secrets: [secret], options: { url: URL } },
    resources: NO_RESOURCES,
    sign(input) {
      const events = Buffer.from(input.body);
      const body = `mandrill_events=${formEncoded(events)}`;
      const signature = hmac('sha1', signingKey, [URL, 'mandrill_events', events]).toString('base64');
      return post({ contentType: 'application/x-www-form-urlencoded', ...input }, Buffer.from(body), {
        'x-mandrill-signature': signature,
      });
    },
  };
}

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
