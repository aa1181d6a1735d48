import type { Account } from './kit/account.ts';
import { asListOfTwo, BASIC_PROOF, basicAuthentication, inSeconds } from './kit/signing.ts';

export const brevo = {
  ...basicAuthentication('brevo'),
  contract: {
    ...BASIC_PROOF,
    body: '{"event":"opened","email":"a@example.com","ts_epoch":1793610929000,"message-id":"<m@smtp-relay.mailin.fr>"}',
    times: inSeconds('ts_epoch', 's_epoch', 'ts_event', 'ts', 'date'),
    bounce: ({ line, to, at }) => ({
      event: 'hard_bounce',
      email: to,
      ts_epoch: at * 1000,
      'message-id': '<m>',
      reason: line,
    }),
    batch: asListOfTwo,
  },
} satisfies Account<string>;
