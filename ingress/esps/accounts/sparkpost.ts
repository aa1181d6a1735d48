import type { Account } from './kit/account.ts';
import { BASIC_PROOF, basicAuthentication, inSeconds, twiceInList } from './kit/signing.ts';
import {
  addressOf,
  campaignOf,
  eventIdOf,
  everythingLeft,
  machineOf,
  metadataOf,
  variantOf,
} from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://developers.sparkpost.com/api/webhooks/
const EVENTS: { readonly [type in Step['type']]?: readonly [eventClass: string, type: string] } = {
  queued: ['message_event', 'injection'],
  delivered: ['message_event', 'delivery'],
  deferred: ['message_event', 'delay'],
  bounced: ['message_event', 'bounce'],
  dropped: ['message_event', 'policy_rejection'],
  complained: ['message_event', 'spam_complaint'],
  opened: ['track_event', 'open'],
  clicked: ['track_event', 'click'],
  unsubscribed: ['unsubscribe_event', 'link_unsubscribe'],
};
const CODES: { readonly [category: string]: string } = {
  ...{ invalid_mailbox: '10', domain_not_found: '30', mailbox_full: '22', policy: '50' },
};

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
  speech: {
    use: { share: 0.1, campaigns: 0.7 },
    silentOn: ['subscribed', 'other'],
    wholeSeconds: true,
    batchSize: (random) => random.int(1, 50),
    body: (events) => JSON.stringify(events),
    names: (step) => ({
      ...everythingLeft(step),
      campaign: campaignOf(step),
      variant: variantOf(step),
      machine: machineOf(step),
    }),
    event({ step }, context) {
      const { message } = step;
      const address = addressOf(step);
      const [eventClass, type] = EVENTS[step.type] ?? ['message_event', 'delivery'];
      const event = {
        type,
        event_id: eventIdOf(step, context),
        timestamp: String(step.at / 1000),
        message_id: message.id,
        transmission_id: `${message.index}`,
        campaign_id: campaignOf(step),
        ab_test_version: variantOf(step),
        friendly_from: message.programme.sender,
        rcpt_to: address.toLowerCase(),
        raw_rcpt_to: address,
        rcpt_meta: metadataOf(step, context.runId),
        rcpt_tags: message.programme.tags,
        subject: message.variant.subject,
        customer_id: '7',
        ...details(step),
      };
      return { msys: { [eventClass]: event } };
    },
  },
} satisfies Account<string>;

function details({ type, detail: { failure, attempt, dropReason, client, machine, url } }: Step): object {
  if (failure) {
    const reason = { error_code: String(failure.code), raw_reason: failure.text, reason: failure.text };
    if (type === 'deferred') return { ...reason, num_retries: String((attempt ?? 1) - 1) };
    return { ...reason, bounce_class: CODES[failure.category] };
  }
  if (type === 'dropped') return { raw_reason: `550 5.7.1 recipient is suppressed: ${dropReason}` };
  if (type === 'complained') return { fbtype: 'abuse', report_by: 'feedback.example' };
  if (!client) return {};
  return {
    ...{ ip_address: client.ip, user_agent: client.userAgent, target_link_url: url },
    ...(type === 'unsubscribed' ? {} : { user_agent_parsed: { is_prefetched: machine, is_proxy: false } }),
  };
}
