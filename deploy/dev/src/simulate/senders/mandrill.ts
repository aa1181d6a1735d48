import { mandrill as account } from '@email-events/esps/accounts/mandrill';
import type { Step } from '../lifecycle.ts';
import { type Description, everythingLeft } from './described.ts';
import { addressOf, metadataOf } from './sender.ts';

// Seen 2026-11: https://mailchimp.com/developer/transactional/docs/webhooks/
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'send', delivered: 'delivered', deferred: 'deferral', dropped: 'reject', opened: 'open' },
  ...{ clicked: 'click', complained: 'spam', unsubscribed: 'unsub' },
};
const REJECTED = { bounced: 'hard-bounce', unsubscribed: 'unsub', complained: 'spam' } as const;

export const mandrill: Description = {
  esp: 'mandrill',
  proof: 'signature',
  account: account.signer,
  batchSize: (random) => random.int(1, 40),
  body: (events) => JSON.stringify(events),
  names: (step) => ({
    ...everythingLeft(step),
    machine: step.type === 'opened' && step.detail.machine ? true : undefined,
  }),
  event({ step }, { runId }) {
    const { message, type, detail } = step;
    const { failure, client, url, dropReason, machine } = detail;
    const bounce = failure?.bounceClass === 'hard' ? 'hard_bounce' : 'soft_bounce';
    return {
      event: type === 'bounced' ? bounce : EVENTS[type],
      _id: message.id,
      ts: step.at / 1000,
      ...(client ? { ip: client.ip, user_agent: client.userAgent } : {}),
      ...(client ? { user_agent_parsed: { type: machine ? 'Robot' : 'Browser' } } : {}),
      ...(url === undefined ? {} : { url }),
      msg: {
        _id: message.id,
        _version: 'exV2UKWyTVeXCfZeLZCGEg',
        ts: Math.floor(message.sentAt / 1000),
        email: addressOf(step),
        sender: message.programme.sender,
        subject: message.variant.subject,
        tags: message.programme.tags,
        metadata: metadataOf(step, runId),
        state: type,
        ...(failure ? { diag: failure.text, bounce_description: failure.category } : {}),
        ...(dropReason ? { reject: { reason: REJECTED[dropReason] } } : {}),
      },
    };
  },
};
