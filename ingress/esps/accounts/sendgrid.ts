import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { Account } from './kit/account.ts';
import { HOUR, inSeconds, post, SIGNED_BODY, secondsOf, twiceInList, withSecret } from './kit/signing.ts';
import { addressOf, campaignOf, metadataOf, variantOf, type WriteContext } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
const EVENTS = {
  ...{
    queued: 'processed',
    delivered: 'delivered',
    deferred: 'deferred',
    bounced: 'bounce',
    dropped: 'dropped',
  },
  ...{ opened: 'open', clicked: 'click', complained: 'spamreport', subscribed: 'group_resubscribe' },
  ...{ unsubscribed: 'unsubscribe', other: 'account_status_change' },
} as const;

/** Unsubscribe groups have numbers. */
const GROUPS: { readonly [stream: string]: number } = {
  offers: 1042,
  newsletter: 1043,
  receipts: 1044,
  account: 1045,
};

const DROPPED = {
  ...{
    bounced: 'Bounced Address',
    unsubscribed: 'Unsubscribed Address',
    complained: 'Spam Reporting Address',
  },
} as const;

export const sendgrid = {
  esp: 'sendgrid',
  /** A private key, PEM, PKCS#8, P-256. */
  newKey: () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  signer(pem) {
    const privateKey = createPrivateKey(pem);
    const secret = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
    return withSecret('sendgrid', secret, (input) => {
      const body = Buffer.from(input.body);
      const timestamp = secondsOf(input);
      const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), body]), privateKey);
      return post({ contentType: 'application/json;charset=utf-8', ...input }, body, {
        'x-twilio-email-event-webhook-signature': signature.toString('base64'),
        'x-twilio-email-event-webhook-timestamp': timestamp,
      });
    });
  },
  contract: {
    ...SIGNED_BODY,
    body: '[{"email":"a@example.com","event":"open","timestamp":1793610930,"sg_event_id":"e1"}]\r\n',
    window: { past: 25 * HOUR, future: 300_000 },
    times: inSeconds('timestamp'),
    bounce: ({ status, line, to, at }) => [
      { event: 'bounce', type: 'bounce', email: to, timestamp: at, sg_event_id: 'e', status, reason: line },
    ],
    batch: twiceInList,
  },
  speech: {
    use: { rank: 1, share: 0.42, campaigns: 0.85 },
    silentOn: ['other'],
    leaves: ['all', 'stream', 'stream'],
    returns: ['stream'],
    wholeSeconds: true,
    // Batches go out by the clock, so quiet minutes make small ones.
    batchSize: (random) =>
      random.chance(0.2) ? random.int(1, 8) : random.chance(0.8) ? random.int(10, 80) : random.int(100, 400),
    body: listOf,
    names: (step) => ({
      campaign: campaignOf(step),
      variant: variantOf(step),
      scope: step.detail.scope === 'stream' ? String(groupOf(step)) : step.detail.scope,
      machine: step.type === 'opened' ? step.detail.machine : undefined,
    }),
    garbage: (context) => ({
      code: 'NORMALIZE_BODY_UNREADABLE',
      body: context.random.pick(unreadable(context)),
    }),
    badEvents,
    event: ({ step }, context) => eventOf(step, context),
  },
} satisfies Account<string>;

// The real bodies have line ends between the events and after the list, and they are signed with them.
function listOf(events: readonly unknown[]): string {
  return `[${events.map((event) => JSON.stringify(event)).join(',\r\n')}]\r\n`;
}

function eventOf(step: Step, { runId }: WriteContext) {
  const { message } = step;
  return {
    email: addressOf(step),
    timestamp: Math.floor(step.at / 1000),
    'smtp-id': `<${message.id}@mail.shop.example>`,
    event:
      step.detail.scope === 'stream' && step.type === 'unsubscribed'
        ? 'group_unsubscribe'
        : EVENTS[step.type],
    category: message.programme.tags.length === 1 ? message.programme.tags[0] : message.programme.tags,
    sg_event_id: Buffer.from(`${runId}-${step.id}`).toString('base64url'),
    sg_message_id: `${message.id}.filterdrecv-7f5c-0`,
    ...(campaignOf(step) === undefined
      ? {}
      : {
          marketing_campaign_name: message.programme.name,
          marketing_campaign_version: message.variant.name || undefined,
        }),
    ...details(step),
    ...metadataOf(step, runId),
  };
}

function details(step: Step): object {
  const { attempt, failure, client, dropReason, machine, url, scope } = step.detail;
  switch (step.type) {
    case 'delivered':
      return { response: '250 2.0.0 OK', ip: '192.0.2.10', tls: 1 };
    case 'deferred':
      return { response: failure?.text, attempt: String(attempt) };
    case 'bounced':
      return failure?.bounceClass === 'hard'
        ? { ...refused(step), type: 'bounce', bounce_classification: 'Invalid Address' }
        : { ...refused(step), type: 'blocked', bounce_classification: 'Mailbox Unavailable' };
    case 'dropped':
      return { reason: DROPPED[dropReason ?? 'bounced'] };
    case 'opened':
      return { useragent: client?.userAgent, ip: client?.ip, sg_machine_open: machine };
    case 'clicked':
      return { useragent: client?.userAgent, ip: client?.ip, url, url_offset: { index: 0, type: 'html' } };
    case 'unsubscribed':
    case 'subscribed':
      return scope === 'stream'
        ? { asm_group_id: groupOf(step), useragent: client?.userAgent, ip: client?.ip }
        : {};
    default:
      return {};
  }
}

function refused({ detail: { failure } }: Step) {
  return { reason: failure?.text, status: failure?.status, ip: '192.0.2.10', tls: 1 };
}

const groupOf = (step: Step) => GROUPS[step.message.programme.stream] ?? 1000;
function unreadable({ runId, at }: WriteContext): readonly (string | Buffer)[] {
  const one = `[{"email":"broken.${runId}@gmail.example","timestamp":${Math.floor(at / 1000)},"event":"delivered"`;
  return [
    one,
    `{"run":"${runId}","events":"not a list"}`,
    Buffer.concat([Buffer.from(one), Buffer.from([0xff, 0xfe, 0x7d, 0x5d])]),
  ];
}

function badEvents({ runId, requestIndex, at }: WriteContext) {
  const email = `bad${requestIndex}.${runId}@gmail.example`;
  const timestamp = Math.floor(at / 1000);
  return [
    ['NORMALIZE_RECIPIENT_INVALID', { email: `\u0007${email}`, event: 'delivered', timestamp, run: runId }],
    ['NORMALIZE_RECIPIENT_MISSING', { event: 'open', timestamp, run: runId }],
    ['NORMALIZE_ITEM_INVALID', `${runId} is no event`],
  ] as const;
}
