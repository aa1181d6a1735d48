import type { Account } from './kit/account.ts';
import { BASIC_PROOF, basicAuthentication, inText } from './kit/signing.ts';

export const smtp2go = {
  ...basicAuthentication('smtp2go'),
  contract: {
    ...BASIC_PROOF,
    body: '{"event":"open","time":"2026-11-02T09:15:29Z","rcpt":"a@example.com","email_id":"m"}',
    times: inText('time'),
    bounce: ({ line, to, iso }) => ({
      ...{ event: 'bounce', bounce: 'hard', rcpt: to, email_id: 'm', time: iso, message: line },
    }),
  },
} satisfies Account<string>;
