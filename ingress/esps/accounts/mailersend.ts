import type { Account } from './kit/account.ts';
import { bodyHmac, inText, SIGNED_BODY } from './kit/signing.ts';

export const mailersend = {
  ...bodyHmac('mailersend', 'signature'),
  contract: {
    ...SIGNED_BODY,
    body: '{"type":"activity.opened","data":{"id":"e1","created_at":"2026-11-02T09:15:29Z","email":"a@example.com"}}',
    anyKey: true,
    times: inText('created_at'),
    bounce: ({ code, line, to, iso }) => ({
      type: 'activity.hard_bounced',
      data: { id: 'e', created_at: iso, email: to, meta: { bounce_code: code, bounce_reason: line } },
    }),
  },
} satisfies Account<string>;
