import { hash } from 'node:crypto';
import { decodeForeign, encodeForeign } from '../src/reading/foreign-bytes.ts';
import type { Account } from './kit/account.ts';
import { hexKey, inText, post, SIGNED_BODY, withSecret } from './kit/signing.ts';
import { addressOf, metadataOf } from './kit/speech.ts';
import type { Failure, Step } from './kit/story.ts';

// Seen 2026-11: https://godocs.unisender.ru/web-api-ref#callback-format
const STATUS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'sent', delivered: 'delivered', opened: 'opened', clicked: 'clicked' },
  ...{ complained: 'spam', unsubscribed: 'unsubscribed', subscribed: 'subscribed' },
};
const DELIVERY: { readonly [category in Failure['category']]: string } = {
  invalid_mailbox: 'err_user_unknown',
  domain_not_found: 'err_no_dns',
  mailbox_full: 'err_mailbox_full',
  policy: 'err_spam_rejected',
};

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
  speech: {
    use: { share: 0.1, campaigns: 0.5 },
    silentOn: ['deferred', 'dropped', 'other'],
    returns: ['all'],
    wholeSeconds: true,
    batchSize: (random) => random.int(1, 20),
    body: (events) => JSON.stringify({ events_by_user: [{ user_id: 456, events }] }),
    // The digest is part of the body, so what can be verified can be parsed.
    garbage: ({ runId }) => ({
      code: 'NORMALIZE_BODY_UNREADABLE',
      body: `{"events_by_user":"${runId} is no list"}`,
    }),
    event({ step }, { runId }) {
      const { message, type, detail } = step;
      const { failure, client, url } = detail;
      const bounce = failure?.bounceClass === 'hard' ? 'hard_bounced' : 'soft_bounced';
      const answer = failure
        ? { delivery_status: DELIVERY[failure.category], destination_response: failure.text }
        : {};
      return {
        event_name: 'transactional_email_status',
        event_data: {
          job_id: message.id,
          metadata: metadataOf(step, runId),
          email: addressOf(step),
          status: type === 'bounced' ? bounce : STATUS[type],
          event_time: new Date(step.at).toISOString().slice(0, 19).replace('T', ' '),
          ...(url === undefined ? {} : { url }),
          delivery_info: {
            ...answer,
            ...(client ? { user_agent: client.userAgent, ip: client.ip } : {}),
          },
        },
      };
    },
  },
} satisfies Account<string>;

const grouped = (...events: object[]) => ({ events_by_user: [{ user_id: 1, events }] });
