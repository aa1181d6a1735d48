import { createHmac } from 'node:crypto';
import type { Step } from '../lifecycle.ts';
import {
  addressOf,
  type Draft,
  type Entry,
  metadataOf,
  type Sender,
  STALE_MS,
  type WriteContext,
} from './sender.ts';

// Seen 2026-11: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks
const EVENTS = {
  ...{ queued: 'accepted', delivered: 'delivered', deferred: 'failed', bounced: 'failed', dropped: 'failed' },
  ...{ opened: 'opened', clicked: 'clicked', complained: 'complained', unsubscribed: 'unsubscribed' },
  ...{ subscribed: 'list_member_subscribed', other: 'stored' },
} as const;

const SUPPRESSED = {
  bounced: { reason: 'suppress-bounce', code: 605 },
  unsubscribed: { reason: 'suppress-unsubscribe', code: 606 },
  complained: { reason: 'suppress-complaint', code: 607 },
} as const;

export const mailgun: Sender = {
  esp: 'mailgun',
  batchSize: () => 1,
  write: (entries, context) => draft(context, eventOf(entries, context)),
  signer,
  names: ({ message: { programme }, detail, type }) => ({
    campaign: programme.kind === 'campaign' ? programme.name : undefined,
    scope: detail.scope === undefined ? undefined : 'all',
    machine: type === 'opened' || type === 'clicked' ? detail.machine : undefined,
  }),
  // The signature is part of the body, so what can be verified can be parsed.
  garbage: (context) => ({
    code: 'NORMALIZE_ITEM_INVALID',
    draft: draft(context, `${context.runId} says nothing`),
  }),
  badItem(_entries, context) {
    const [code, event] = context.random.pick(badEvents(context));
    return { code, draft: draft(context, event) };
  },
};

/** The signature is put before the event when the request goes out. */
function draft({ random }: WriteContext, event: unknown): Draft {
  return { id: random.hex(50), body: JSON.stringify(event) };
}

function eventOf(entries: readonly Entry[], { runId }: WriteContext): object {
  const step = entries[0]?.step;
  if (!step) return {};
  const { message } = step;
  const { programme } = message;
  const address = addressOf(step);
  return {
    id: Buffer.from(`${runId}-${step.id}`).toString('base64url'),
    event: EVENTS[step.type],
    timestamp: step.at / 1000,
    'log-level': step.type === 'bounced' ? 'error' : 'info',
    recipient: address,
    'recipient-domain': address.slice(address.lastIndexOf('@') + 1),
    tags: programme.tags,
    campaigns:
      programme.kind === 'campaign' ? [{ id: programme.name.slice(0, 3), name: programme.name }] : [],
    'user-variables': metadataOf(step, runId),
    flags: { 'is-routed': false, 'is-authenticated': true, 'is-system-test': false, 'is-test-mode': false },
    envelope: {
      transport: 'smtp',
      sender: `bounce+${message.index}@mg.shop.example`,
      'sending-ip': '192.0.2.20',
      targets: address,
    },
    message: {
      headers: {
        to: address,
        'message-id': `${message.id}@mg.shop.example`,
        from: `Shop <${programme.sender}>`,
        subject: message.variant.subject,
      },
      attachments: [],
      size: 20_412,
    },
    ...details(step),
  };
}

function details({ type, detail, message }: Step): object {
  const { attempt, failure, client, dropReason, machine, url } = detail;
  const home = message.addressees[0]?.recipient.domain;
  const answer = { 'attempt-no': attempt ?? 1, 'mx-host': home?.mx, 'session-seconds': 0.43, tls: true };
  const refused = {
    ...answer,
    code: failure?.code,
    'enhanced-code': failure?.status,
    message: failure?.text,
    description: '',
  };
  switch (type) {
    case 'delivered':
      return { 'delivery-status': { ...answer, code: 250, message: 'OK', description: '' } };
    case 'deferred':
      return { severity: 'temporary', reason: 'generic', 'delivery-status': refused };
    case 'bounced':
      // A refusal for policy leaves the address usable, and Mailgun marks it so.
      return {
        ...{ severity: 'permanent', reason: failure?.bounceClass === 'hard' ? 'bounce' : 'espblock' },
        'delivery-status': refused,
      };
    case 'dropped': {
      const { reason, code } = SUPPRESSED[dropReason ?? 'bounced'];
      return {
        severity: 'permanent',
        reason,
        'delivery-status': { ...answer, code, message: '', description: 'Not delivering' },
      };
    }
    case 'opened':
    case 'clicked':
    case 'unsubscribed':
      return {
        ...{ ip: client?.ip, url, geolocation: { country: 'DE', region: 'Unknown', city: 'Unknown' } },
        'client-info': {
          'user-agent': client?.userAgent,
          'client-type': 'browser',
          'device-type': 'mobile',
          bot: machine ? 'apple' : '',
        },
      };
    default:
      return {};
  }
}

function badEvents({ runId, requestIndex, at }: WriteContext) {
  const recipient = `bad${requestIndex}.${runId}@gmail.example`;
  const event = { id: `${runId}-bad-${requestIndex}`, event: 'delivered' };
  return [
    ['NORMALIZE_RECIPIENT_INVALID', { ...event, recipient: `\u0007${recipient}`, timestamp: at / 1000 }],
    ['NORMALIZE_RECIPIENT_MISSING', { ...event, timestamp: at / 1000 }],
  ] as const;
}

function signer({ mailgun: { signingKey } }: Parameters<Sender['signer']>[0]) {
  return ({ id: token, body }: Draft, now: number, flaw?: string) => {
    const timestamp = String(Math.floor((flaw === 'stale' ? now - STALE_MS : now) / 1000));
    const signature = createHmac('sha256', flaw === 'wrong' ? `${signingKey}x` : signingKey)
      .update(timestamp + token)
      .digest('hex');
    const block = flaw === 'missing' ? '' : `"signature":${JSON.stringify({ token, timestamp, signature })},`;
    return {
      body: Buffer.from(`{${block}"event-data":${body}}`),
      headers: { 'content-type': 'application/json', 'user-agent': 'mailgun/treq-22.1.0' },
    };
  };
}
