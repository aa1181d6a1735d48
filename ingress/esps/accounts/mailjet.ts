import type { Account } from './kit/account.ts';
import { asListOfTwo, BASIC_PROOF, basicAuthentication, inSeconds } from './kit/signing.ts';
import { addressOf, campaignOf, metadataOf } from './kit/speech.ts';
import type { Failure, Step } from './kit/story.ts';

// Seen 2026-11: https://dev.mailjet.com/email/guides/webhooks/
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'sent', deferred: 'bounce', bounced: 'bounce', dropped: 'blocked', opened: 'open' },
  ...{ clicked: 'click', complained: 'spam', unsubscribed: 'unsub' },
};
const ERRORS: { readonly [category in Failure['category']]: string } = {
  invalid_mailbox: 'user unknown',
  domain_not_found: 'invalid domain',
  mailbox_full: 'quota exceeded',
  policy: 'policy issue',
};

/** Lists have numbers. */
const LISTS: { readonly [stream: string]: number } = {
  ...{ offers: 7001, newsletter: 7002, receipts: 7004, account: 7005 },
};

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
  speech: {
    use: { share: 0.1, campaigns: 0.8 },
    silentOn: ['queued', 'subscribed', 'other'],
    leaves: ['all', 'stream'],
    wholeSeconds: true,
    batchSize: (random) => (random.chance(0.4) ? 1 : random.int(2, 30)),
    // A webhook of version 1 posts one event, one of version 2 a list of them.
    body: (events) => JSON.stringify(events.length === 1 ? events[0] : events),
    names: (step) => ({
      campaign: campaignOf(step),
      scope: step.detail.scope === 'stream' ? String(listOf(step)) : step.detail.scope,
    }),
    event({ step }, { runId }) {
      const { message, type, detail } = step;
      return {
        event: EVENTS[type],
        time: step.at / 1000,
        email: addressOf(step),
        // Real ones are numbers; a number cannot begin with the run's id.
        MessageID: 0,
        Message_GUID: message.id,
        mj_campaign_id: 0,
        customcampaign: campaignOf(step) ?? '',
        CustomID: message.programme.tags[0] ?? '',
        Payload: JSON.stringify(metadataOf(step, runId)),
        ...(type === 'unsubscribed' ? { mj_list_id: detail.scope === 'stream' ? listOf(step) : 0 } : {}),
        ...details(step),
      };
    },
  },
} satisfies Account<string>;

function details({ type, detail: { failure, dropReason, client, url } }: Step): object {
  if (type === 'deferred') {
    return { hard_bounce: false, error_related_to: 'domain', error: 'greylisted', comment: failure?.text };
  }
  if (failure) {
    const hard = failure.bounceClass === 'hard';
    const error = { error_related_to: 'recipient', error: ERRORS[failure.category], comment: failure.text };
    return { ...error, blocked: false, hard_bounce: hard };
  }
  if (type === 'delivered') return { smtp_reply: 'sent (250 2.0.0 OK)' };
  if (type === 'complained') return { source: 'JMRPP' };
  if (type === 'dropped') {
    return {
      error_related_to: 'recipient',
      error: dropReason === 'complained' ? 'spam reporter' : 'preblocked',
    };
  }
  return client ? { ip: client.ip, geo: 'DE', agent: client.userAgent, url } : {};
}

const listOf = ({ message }: Step): number => LISTS[message.programme.stream] ?? 7000;
