import type { Account } from './kit/account.ts';
import { hexKey, hmacOf, inSeconds, post, SIGNED_BODY, twiceInList, withSecret } from './kit/signing.ts';
import { addressOf, everythingLeft, metadataOf } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://mailchimp.com/developer/transactional/docs/webhooks/
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ queued: 'send', delivered: 'delivered', deferred: 'deferral', dropped: 'reject', opened: 'open' },
  ...{ clicked: 'click', complained: 'spam', unsubscribed: 'unsub' },
};
const REJECTED = { bounced: 'hard-bounce', unsubscribed: 'unsub', complained: 'spam' } as const;

/** The URL that is configured at Mandrill: it signs this one, wherever a proxy or a test reaches the ingress. */
const URL = 'https://hooks.example.com/webhooks/email-events/mandrill';

/** Mandrill sends its events as a field of a form, and signs URL, field name and value. */
export const mandrill = {
  esp: 'mandrill',
  newKey: hexKey,
  signer: (secret) =>
    withSecret(
      'mandrill',
      secret,
      (input) => {
        const events = Buffer.from(input.body);
        const body = Buffer.from(`mandrill_events=${formEncoded(events)}`);
        const signature = hmacOf('sha1', secret, `${URL}mandrill_events`, events).toString('base64');
        const contentType = input.contentType ?? 'application/x-www-form-urlencoded';
        return post({ ...input, contentType }, body, { 'x-mandrill-signature': signature });
      },
      { url: URL },
    ),
  contract: {
    ...SIGNED_BODY,
    body: '[{"event":"open","ts":1793610929,"_id":"m","msg":{"_id":"m","email":"a@example.com"}}]',
    rewritable: true,
    anyKey: true,
    times: inSeconds('ts'),
    bounce: ({ line, to, at }) => [
      {
        ...{ event: 'hard_bounce', _id: 'm', ts: at },
        msg: { _id: 'm', email: to, bounce_description: 'general', diag: `smtp;${line}` },
      },
    ],
    batch: twiceInList,
  },
  speech: {
    use: { share: 0.1, campaigns: 0.3 },
    silentOn: ['subscribed', 'other'],
    wholeSeconds: true,
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
  },
} satisfies Account<string>;

/** As URLSearchParams does, of bytes in any encoding. */
function formEncoded(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(
      /[^A-Za-z0-9*\-._ ]/g,
      (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .replaceAll(' ', '+');
}
