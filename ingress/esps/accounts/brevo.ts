import type { Account } from './kit/account.ts';
import { asListOfTwo, BASIC_PROOF, basicAuthentication, inSeconds } from './kit/signing.ts';
import { addressOf, campaignOf, everythingLeft, metadataOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://developers.brevo.com/docs/transactional-webhooks
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{
    queued: 'request',
    delivered: 'delivered',
    deferred: 'deferred',
    dropped: 'blocked',
    clicked: 'click',
  },
  ...{ complained: 'spam', unsubscribed: 'unsubscribed' },
};

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
  speech: {
    use: { share: 0.1, campaigns: 0.8 },
    silentOn: ['subscribed', 'other'],
    batchSize: (random) => (random.chance(0.5) ? 1 : random.int(2, 30)),
    body: (events) => JSON.stringify(events.length === 1 ? events[0] : events),
    names: (step) => ({
      ...everythingLeft(step),
      campaign: campaignOf(step),
      // Of an open it says whether it came through a proxy, not that it did not.
      machine: step.type === 'opened' && step.detail.machine ? true : undefined,
    }),
    event({ step, again }, { runId }) {
      const { message, detail } = step;
      const { client, failure, dropReason, url } = detail;
      return {
        id: 26_224,
        event: eventName(step, again),
        email: addressOf(step),
        date: new Date(step.at).toISOString().slice(0, 19).replace('T', ' '),
        ts: Math.floor(message.sentAt / 1000),
        ts_event: Math.floor(step.at / 1000),
        ts_epoch: step.at,
        'message-id': `<${message.id}@smtp-relay.shop.example>`,
        subject: message.variant.subject,
        sender_email: message.programme.sender,
        tags: message.programme.tags,
        'X-Mailin-custom': JSON.stringify(metadataOf(step, runId)),
        ...(campaignOf(step) === undefined ? {} : { camp_id: 9, 'campaign name': campaignOf(step) }),
        ...(failure ? { reason: failure.text } : {}),
        ...(dropReason ? { reason: `blocked: ${dropReason}` } : {}),
        ...(client ? { ip: client.ip, user_agent: client.userAgent } : {}),
        ...(url === undefined ? {} : { link: url }),
      };
    },
  },
} satisfies Account<string>;

/** The first opening was reported under two names. */
function eventName({ type, detail }: Step, again: boolean): string | undefined {
  if (type === 'bounced') return detail.failure?.bounceClass === 'hard' ? 'hard_bounce' : 'soft_bounce';
  if (type !== 'opened') return EVENTS[type];
  const proxy = detail.machine ? 'proxy_open' : 'opened';
  return again ? `unique_${proxy}` : proxy;
}
