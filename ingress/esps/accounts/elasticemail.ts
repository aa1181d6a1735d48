import type { Account } from './kit/account.ts';
import { BASIC_PROOF, hexKey, inText, withSecret } from './kit/signing.ts';

/** Elastic Email sends its events as the query of a GET, and proves itself by a token in it. */
export const elasticemail = {
  esp: 'elasticemail',
  newKey: hexKey,
  signer: (secret) =>
    withSecret('elasticemail', secret, (input) => {
      const event = input.body.toString();
      return {
        method: 'GET',
        url: `${input.url ?? '/'}?token=${encodeURIComponent(secret)}${event === '' ? '' : `&${event}`}`,
        headers: {},
        body: Buffer.alloc(0),
        receivedAt: input.receivedAt ?? input.at,
      };
    }),
  contract: {
    ...BASIC_PROOF,
    body: 'to=a%40example.com&status=Opened&date=11%2F2%2F2026+9%3A15%3A29+AM&messageid=m',
    proof: /&?token=[^&]*/,
    anyKey: true,
    times: inText('date'),
    bounce: null,
  },
} satisfies Account<string>;
