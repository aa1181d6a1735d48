import type { Account } from './kit/account.ts';
import { bodyHmac, inSeconds, SIGNED_BODY } from './kit/signing.ts';
import { addressOf, eventIdOf, metadataOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://docs.mailtrap.io/email-api-smtp/webhooks
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'delivery', dropped: 'reject', opened: 'open', clicked: 'click' },
  ...{ complained: 'spam', unsubscribed: 'unsubscribe' },
};

export const mailtrap = {
  ...bodyHmac('mailtrap', 'mailtrap-signature'),
  contract: {
    ...SIGNED_BODY,
    body: '{"events":[{"event":"open","event_id":"e1","timestamp":1793610929,"email":"a@example.com"}]}',
    anyKey: true,
    times: inSeconds('timestamp'),
    bounce: ({ code, line, to, at }) => ({
      events: [
        {
          ...{ event: 'bounce', event_id: 'e', message_id: 'm', email: to, timestamp: at },
          ...{ response_code: code, response: line, bounce_category: 'badrecipient' },
        },
      ],
    }),
    batch(body) {
      const { events } = JSON.parse(body) as { events: unknown[] };
      return JSON.stringify({ events: [...events, ...events] });
    },
  },
  speech: {
    use: { share: 0.1, campaigns: 0.4 },
    silentOn: ['queued', 'deferred', 'subscribed', 'other'],
    wholeSeconds: true,
    batchSize: (random) => random.int(1, 20),
    // One webhook is set to JSON, another to JSON Lines.
    body: (events, random) =>
      random.chance(0.7)
        ? JSON.stringify({ events })
        : events.map((event) => `${JSON.stringify(event)}\n`).join(''),
    event({ step }, context) {
      const { message, type, detail } = step;
      const { failure, client, dropReason } = detail;
      const bounce = failure?.bounceClass === 'hard' ? 'bounce' : 'soft bounce';
      return {
        event: type === 'bounced' ? bounce : EVENTS[type],
        event_id: eventIdOf(step, context),
        timestamp: step.at / 1000,
        email: addressOf(step),
        message_id: message.id,
        sending_domain_name: 'shop.example',
        sending_stream: message.programme.kind === 'campaign' ? 'bulk' : 'transactional',
        category: message.programme.tags[0],
        custom_variables: metadataOf(step, context.runId),
        ...(failure ? { response: failure.text, response_code: failure.code, bounce_category: 'other' } : {}),
        ...(client ? { ip: client.ip, user_agent: client.userAgent } : {}),
        ...(type === 'dropped' ? { reason: `Recipient is suppressed: ${dropReason}` } : {}),
        url: detail.url,
      };
    },
  },
} satisfies Account<string>;
