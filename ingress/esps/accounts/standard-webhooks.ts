import type { Account } from './kit/account.ts';
import { asListOfTwo, inText, STANDARD_PROOF, standardWebhooks as signed } from './kit/signing.ts';

/** The pipeline's own format (ingress/esps/README.md). */
export const standardWebhooks = {
  ...signed('standard-webhooks'),
  contract: {
    ...STANDARD_PROOF,
    body: '{"id":"e1","type":"queued","occurred_at":1793610930000,"recipient":"a@example.com"}',
    times: inText('occurred_at'),
    bounce: ({ code, status, line, to, iso }) => ({
      ...{ type: 'bounced', id: 'e', occurred_at: iso, recipient: to },
      ...{ smtp_code: code, enhanced_status: status ?? undefined, diagnostic: line },
    }),
    batch: asListOfTwo,
  },
} satisfies Account<string>;
