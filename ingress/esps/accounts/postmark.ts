import type { Account } from './kit/account.ts';
import { BASIC_PROOF, basicAuthentication, inText } from './kit/signing.ts';

export const postmark = {
  ...basicAuthentication('postmark'),
  contract: {
    ...BASIC_PROOF,
    body: '{"RecordType":"Open","Recipient":"a@example.com","ReceivedAt":"2026-11-02T09:15:29Z","MessageID":"m"}',
    times: inText('BouncedAt', 'DeliveredAt', 'ReceivedAt', 'ChangedAt', 'Date'),
    bounce: ({ line, to, iso }) => ({
      ...{ RecordType: 'Bounce', Type: 'HardBounce', ID: 1, MessageID: 'm', Email: to, BouncedAt: iso },
      Details: `smtp;${line}`,
    }),
  },
} satisfies Account<string>;
