import type { Account } from '../accounts/kit/account.ts';
import { bodyHmac, inSeconds, SIGNED_BODY } from '../accounts/kit/signing.ts';

export const exampleEsp = {
  ...bodyHmac('example-esp', 'x-example-esp-signature'),
  contract: {
    ...SIGNED_BODY,
    body: '{"id":"e1","event":"open","timestamp":1793610929,"email":"a@example.com"}',
    anyKey: true,
    times: inSeconds('timestamp'),
    bounce: ({ line, to, at }) => ({
      ...{ id: 'e1', event: 'hard_bounce', timestamp: at, email: to, response: line },
    }),
    batch: (body) => `[${body},${body}]`,
  },
} satisfies Account<string>;
