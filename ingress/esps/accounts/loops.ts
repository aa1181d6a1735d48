import type { Account } from './kit/account.ts';
import { inSeconds, STANDARD_PROOF, standardWebhooks } from './kit/signing.ts';

export const loops = {
  ...standardWebhooks('loops'),
  contract: {
    ...STANDARD_PROOF,
    body: '{"eventName":"email.opened","eventTime":1793610929,"contactIdentity":{"email":"a@example.com"},"email":{"id":"m"}}',
    times: inSeconds('eventTime'),
    bounce: null,
  },
} satisfies Account<string>;
