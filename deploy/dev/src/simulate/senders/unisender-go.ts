import { unisenderGo as account } from '@email-events/esps/accounts/unisender-go';
import type { Failure, Step } from '../lifecycle.ts';
import type { Description } from './described.ts';
import { addressOf, bytesOf, metadataOf } from './sender.ts';

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

export const unisenderGo: Description = {
  esp: 'unisender-go',
  proof: 'signature',
  account: account.signer,
  batchSize: (random) => random.int(1, 20),
  body: (events) => JSON.stringify({ events_by_user: [{ user_id: 456, events }] }),
  // The digest is part of the body, so what can be verified can be parsed.
  garbage: ({ runId }) => `{"events_by_user":"${runId} is no list"}`,
  unproven: ({ headers, body }) => ({
    headers,
    body: bytesOf(body.toString().replace(/"auth":"[^"]*"/, '"auth":""')),
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
};
