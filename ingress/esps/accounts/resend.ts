import type { Account } from './kit/account.ts';
import { inText, STANDARD_PROOF, standardWebhooks } from './kit/signing.ts';

export const resend = {
  ...standardWebhooks('resend', 'svix'),
  contract: {
    ...STANDARD_PROOF,
    body: '{"type":"email.opened","created_at":"2026-11-02T09:15:29.000Z","data":{"email_id":"m","to":["a@example.com"]}}',
    times: inText('created_at', 'timestamp'),
    bounce: ({ line, to, iso }) => ({
      type: 'email.bounced',
      created_at: iso,
      data: {
        email_id: 'm',
        to: [to],
        bounce: { type: 'Permanent', subType: 'General', message: 'x', diagnosticCode: [line] },
      },
    }),
  },
} satisfies Account<string>;
