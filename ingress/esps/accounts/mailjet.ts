import type { Account } from './kit/account.ts';
import { asListOfTwo, BASIC_PROOF, basicAuthentication, inSeconds } from './kit/signing.ts';

export const mailjet = {
  ...basicAuthentication('mailjet'),
  contract: {
    ...BASIC_PROOF,
    body: '{"event":"open","time":1793610929,"MessageID":19421777835146490,"email":"a@example.com"}',
    times: inSeconds('time'),
    bounce: ({ line, to, at }) => ({
      ...{ event: 'bounce', hard_bounce: true, email: to, time: at, MessageID: 1, comment: line },
    }),
    batch: asListOfTwo,
  },
} satisfies Account<string>;
