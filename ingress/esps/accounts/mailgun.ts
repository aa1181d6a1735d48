import { randomBytes } from 'node:crypto';
import { decodeForeign, encodeForeign } from '../src/reading/foreign-bytes.ts';
import type { Account, SignInput } from './kit/account.ts';
import { HOUR, hexKey, hmacOf, inSeconds, post, secondsOf, withSecret } from './kit/signing.ts';

/** Mailgun signs timestamp and token, and puts the signature into the body. */
export const mailgun = {
  esp: 'mailgun',
  newKey: hexKey,
  signer: (secret) =>
    withSecret('mailgun', secret, (input) => {
      const timestamp = secondsOf(input);
      const token = input.id ?? randomBytes(25).toString('hex');
      const signature = hmacOf('sha256', secret, timestamp + token).toString('hex');
      return post(input, encodeForeign(withSignature(input, { timestamp, token, signature })), {});
    }),
  contract: {
    body: '{"event-data":{"event":"opened","id":"e1","timestamp":1793610930,"recipient":"a@example.com"}}',
    tampered: 'unnoticed',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 25 * HOUR, future: 300_000 },
    proof: /"signature":\{[^}]*\},/,
    missing: 'SIGNATURE_MISSING',
    replayToken: true,
    anyKey: true,
    times: inSeconds('timestamp'),
    bounce: ({ code, status, line, to, at }) => ({
      'event-data': {
        ...{ event: 'failed', severity: 'permanent', reason: 'generic' },
        ...{ id: 'e', timestamp: at, recipient: to },
        'delivery-status': { code, 'enhanced-code': status ?? '', message: line },
      },
    }),
  },
} satisfies Account<string>;

/** The body with its signature, where Mailgun's own serializer would put it. */
function withSignature(input: SignInput, signature: { readonly [name: string]: string }): string {
  const body = decodeForeign(Buffer.from(input.body));
  const type = input.contentType ?? 'application/json';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return `${body}&${new URLSearchParams(signature)}`;
  }
  const boundary = /boundary=(\S+)/.exec(type)?.[1];
  if (boundary) {
    const parts = Object.entries(signature).map(
      ([name, value]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    return body.replace(`--${boundary}--`, `${parts.join('')}--${boundary}--`);
  }
  return body.replace('{', `{"signature":${JSON.stringify(signature)},`);
}
