import type { Account } from './kit/account.ts';
import { BASIC_PROOF, basicAuthentication, inSeconds, twiceInList } from './kit/signing.ts';

export const sparkpost = {
  ...basicAuthentication('sparkpost'),
  contract: {
    ...BASIC_PROOF,
    body: '[{"msys":{"track_event":{"type":"open","raw_rcpt_to":"a@example.com","timestamp":"1793610929","event_id":"1"}}}]',
    times: inSeconds('timestamp'),
    bounce: ({ code, line, to, at }) => [
      {
        msys: {
          message_event: {
            ...{ type: 'bounce', bounce_class: '10', event_id: 'e', timestamp: String(at), rcpt_to: to },
            ...{ error_code: String(code), raw_reason: line },
          },
        },
      },
    ],
    batch: twiceInList,
  },
} satisfies Account<string>;
