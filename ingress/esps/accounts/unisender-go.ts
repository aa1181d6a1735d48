import { hash } from 'node:crypto';
import { decodeForeign, encodeForeign } from '../src/reading/foreign-bytes.ts';
import type { Account } from './kit/account.ts';
import { hexKey, inText, post, SIGNED_BODY, withSecret } from './kit/signing.ts';

/** Unisender Go writes the digest into the place where the key was when it was taken. */
export const unisenderGo = {
  esp: 'unisender-go',
  newKey: hexKey,
  signer: (secret) =>
    withSecret('unisender-go', secret, (input) => {
      const event = decodeForeign(Buffer.from(input.body));
      const withAuth = (auth: string) => encodeForeign(event.replace('{', `{"auth":"${auth}",`));
      return post(input, withAuth(hash('md5', withAuth(secret))), {});
    }),
  contract: {
    ...SIGNED_BODY,
    body: '{"events_by_user":[{"user_id":1,"events":[{"event_name":"transactional_email_status","event_data":{"job_id":"m","email":"a@example.com","status":"opened","event_time":"2026-11-02 09:15:29"}}]}]}',
    truncated: 'BODY_UNREADABLE',
    proof: /"auth":"[0-9a-f]*"/,
    anyKey: true,
    times: inText('event_time', 'block_time'),
    bounce: ({ line, to }) =>
      grouped({
        event_name: 'transactional_email_status',
        event_data: {
          ...{ status: 'hard_bounced', job_id: 'j', email: to, event_time: '2026-11-02 09:15:29' },
          delivery_info: { destination_response: line },
        },
      }),
    batch(body) {
      const {
        events_by_user: [user],
      } = JSON.parse(body) as { events_by_user: [{ events: object[] }] };
      return JSON.stringify(grouped(...user.events, ...user.events));
    },
  },
} satisfies Account<string>;

const grouped = (...events: object[]) => ({ events_by_user: [{ user_id: 1, events }] });
