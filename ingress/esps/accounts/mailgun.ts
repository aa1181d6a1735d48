import { randomBytes } from 'node:crypto';
import { decodeForeign, encodeForeign } from '../src/reading/foreign-bytes.ts';
import type { Account, SignInput } from './kit/account.ts';
import { HOUR, hexKey, hmacOf, inSeconds, post, secondsOf, withSecret } from './kit/signing.ts';
import {
  addressOf,
  campaignOf,
  everythingLeft,
  machineOf,
  metadataOf,
  type WriteContext,
} from './kit/speech.ts';
import type { Step } from './kit/story.ts';

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

/** Mailgun signs timestamp and token, and puts the signature into the body. */
export const mailgun = {
  esp: 'mailgun',
  newKey: hexKey,
  signer: (secret) =>
    withSecret('mailgun', secret, (input) => {
      const timestamp = secondsOf(input);
      const token = input.id ?? randomBytes(25).toString('hex');
      const signature = hmacOf('sha256', secret, timestamp + token).toString('hex');
      return post(input, encodeForeign(withSignature(input, { timestamp, token, signature })), {});
    }),
  contract: {
    body: '{"event-data":{"event":"opened","id":"e1","timestamp":1793610930,"recipient":"a@example.com"}}',
    tampered: 'unnoticed',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 25 * HOUR, future: 300_000 },
    proof: /"signature":\{[^}]*\},/,
    missing: 'SIGNATURE_MISSING',
    replayToken: true,
    anyKey: true,
    times: inSeconds('timestamp'),
    bounce: ({ code, status, line, to, at }) => ({
      'event-data': {
        ...{ event: 'failed', severity: 'permanent', reason: 'generic' },
        ...{ id: 'e', timestamp: at, recipient: to },
        'delivery-status': { code, 'enhanced-code': status ?? '', message: line },
      },
    }),
  },
  speech: {
    use: { rank: 2, share: 0.15, campaigns: 0.6 },
    silentOn: ['subscribed', 'other'],
    names: (step) => ({ ...everythingLeft(step), campaign: campaignOf(step), machine: machineOf(step) }),
    body: ([event]) => JSON.stringify({ 'event-data': event }),
    // Of the run: the same seed on data of an earlier run must not bring that run's tokens again.
    draft: (body, { runId, random }) => ({
      id: `${Buffer.from(runId).toString('hex')}${random.hex(50)}`.slice(0, 50),
      body,
    }),
    // The signature is part of the body, so what can be verified can be parsed.
    garbage: ({ runId }) => ({
      code: 'NORMALIZE_ITEM_INVALID',
      body: JSON.stringify({ 'event-data': `${runId} says nothing` }),
    }),
    badEvents,
    event({ step }, { runId }) {
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
        flags: {
          'is-routed': false,
          'is-authenticated': true,
          'is-system-test': false,
          'is-test-mode': false,
        },
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
    },
  },
} satisfies Account<string>;

/** The body with its signature, where Mailgun's own serializer would put it. */
function withSignature(input: SignInput, signature: { readonly [name: string]: string }): string {
  const body = decodeForeign(Buffer.from(input.body));
  const type = input.contentType ?? 'application/json';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return `${body}&${new URLSearchParams(signature)}`;
  }
  const boundary = /boundary=(\S+)/.exec(type)?.[1];
  if (boundary) {
    const parts = Object.entries(signature).map(
      ([name, value]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    return body.replace(`--${boundary}--`, `${parts.join('')}--${boundary}--`);
  }
  return body.replace('{', `{"signature":${JSON.stringify(signature)},`);
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
