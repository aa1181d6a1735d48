import type { Account } from '../accounts/kit/account.ts';
import { bodyHmac, inSeconds, SIGNED_BODY } from '../accounts/kit/signing.ts';
import { addressOf, eventIdOf, metadataOf } from '../accounts/kit/speech.ts';
import type { Step } from '../accounts/kit/story.ts';

// Seen (year and month): the pages that the facts below are from.

const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'delivered', opened: 'open', clicked: 'click' },
  ...{ complained: 'complaint', unsubscribed: 'unsubscribe' },
};

export const exampleEsp = {
  ...bodyHmac('example-esp', 'x-example-esp-signature'),
  contract: {
    ...SIGNED_BODY,
    body: '{"id":"e1","event":"open","timestamp":1793610929,"email":"a@example.com"}',
    anyKey: true,
    times: inSeconds('timestamp'),
    bounce: ({ line, to, at }) => ({
      ...{ id: 'e1', event: 'hard_bounce', timestamp: at, email: to, response: line },
    }),
    batch: (body) => `[${body},${body}]`,
  },
  speech: {
    use: { share: 0.1, campaigns: 0.5 },
    silentOn: ['queued', 'deferred', 'dropped', 'subscribed', 'other'],
    wholeSeconds: true,
    batchSize: (random) => random.int(1, 20),
    body: (events) => JSON.stringify(events),
    event({ step }, context) {
      const { type, detail, message } = step;
      const bounce = detail.failure?.bounceClass === 'hard' ? 'hard_bounce' : 'soft_bounce';
      return {
        id: eventIdOf(step, context),
        event: type === 'bounced' ? bounce : EVENTS[type],
        timestamp: step.at / 1000,
        email: addressOf(step),
        message_id: message.id,
        tags: message.programme.tags,
        metadata: metadataOf(step, context.runId),
        response: detail.failure?.text,
        ip: detail.client?.ip,
        user_agent: detail.client?.userAgent,
        url: detail.url,
      };
    },
  },
} satisfies Account<string>;
