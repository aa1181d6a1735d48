import { createPrivateKey, sign } from 'node:crypto';
import type { Step } from '../lifecycle.ts';
import {
  addressOf,
  bytesOf,
  type Draft,
  type Entry,
  metadataOf,
  type Sender,
  STALE_MS,
  type WriteContext,
} from './sender.ts';

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

export const sendgrid: Sender = {
  esp: 'sendgrid',
  // Batches go out by the clock, so quiet minutes make small ones.
  batchSize: (random) =>
    random.chance(0.2) ? random.int(1, 8) : random.chance(0.8) ? random.int(10, 80) : random.int(100, 400),
  write,
  signer,
  names: (step) => ({
    campaign: campaignOf(step),
    variant: campaignOf(step) === undefined ? undefined : step.message.variant.name || undefined,
    scope: step.detail.scope === 'stream' ? String(groupOf(step)) : step.detail.scope,
    machine: step.type === 'opened' ? step.detail.machine : undefined,
  }),
  garbage: (context) => ({
    code: 'NORMALIZE_BODY_UNREADABLE',
    draft: { id: '', body: context.random.pick(garbage(context)) },
  }),
  badItem(entries, context) {
    const { value, code } = context.random.pick(badItems(context));
    const items = entries.map(({ step }) => JSON.stringify(eventOf(step, context)));
    items.splice(context.random.int(0, items.length), 0, JSON.stringify(value));
    return { code, draft: { id: '', body: listOf(items) } };
  },
};

function write(entries: readonly Entry[], context: WriteContext): Draft {
  return { id: '', body: listOf(entries.map(({ step }) => JSON.stringify(eventOf(step, context)))) };
}

// The real bodies have line ends between the events and after the list, and they are signed with them.
const listOf = (items: readonly string[]) => `[${items.join(',\r\n')}]\r\n`;

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
const campaignOf = ({ message: { programme } }: Step) =>
  programme.kind === 'campaign' ? programme.name : undefined;

function garbage({ runId, at }: WriteContext): readonly (string | Buffer)[] {
  const one = `[{"email":"broken.${runId}@gmail.example","timestamp":${Math.floor(at / 1000)},"event":"delivered"`;
  return [
    one,
    `{"run":"${runId}","events":"not a list"}`,
    Buffer.concat([Buffer.from(one), Buffer.from([0xff, 0xfe, 0x7d, 0x5d])]),
  ];
}

function badItems({ runId, requestIndex, at }: WriteContext) {
  const email = `bad${requestIndex}.${runId}@gmail.example`;
  const timestamp = Math.floor(at / 1000);
  return [
    {
      code: 'NORMALIZE_RECIPIENT_INVALID',
      value: { email: `\u0007${email}`, event: 'delivered', timestamp, run: runId },
    },
    { code: 'NORMALIZE_RECIPIENT_MISSING', value: { event: 'open', timestamp, run: runId } },
    { code: 'NORMALIZE_ITEM_INVALID', value: `${runId} is no event` },
  ] as const;
}

function signer({ sendgrid: { privateKey } }: Parameters<Sender['signer']>[0]) {
  const key = createPrivateKey(privateKey);
  return (draft: Draft, now: number, flaw?: string) => {
    const body = bytesOf(draft.body);
    const timestamp = String(Math.floor((flaw === 'stale' ? now - STALE_MS : now) / 1000));
    const signature = sign(
      'sha256',
      Buffer.concat([Buffer.from(timestamp + (flaw === 'wrong' ? ' ' : '')), body]),
      key,
    );
    const proof = {
      'x-twilio-email-event-webhook-signature': signature.toString('base64'),
      'x-twilio-email-event-webhook-timestamp': timestamp,
    };
    return {
      body,
      headers: {
        'content-type': 'application/json;charset=utf-8',
        'user-agent': 'SendGrid Event API',
        ...(flaw === 'missing' ? {} : proof),
      },
    };
  };
}
