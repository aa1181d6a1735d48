import type { Account } from './kit/account.ts';
import { bodyHmac, inSeconds, SIGNED_BODY } from './kit/signing.ts';

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
} satisfies Account<string>;
