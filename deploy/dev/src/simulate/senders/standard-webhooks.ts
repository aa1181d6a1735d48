import { Webhook } from 'standardwebhooks';
import type { Step } from '../lifecycle.ts';
import {
  addressOf,
  bytesOf,
  type Draft,
  metadataOf,
  type Sender,
  STALE_MS,
  type WriteContext,
} from './sender.ts';

/** The pipeline's own format (ingress/esps/README.md): one event, or a list of them. */
export const standardWebhooks: Sender = {
  esp: 'standard-webhooks',
  batchSize: (random) => (random.chance(0.5) ? 1 : random.int(2, 25)),
  write(entries, context) {
    const events = entries.map(({ step }) => eventOf(step, context));
    return draft(context, JSON.stringify(events.length === 1 ? events[0] : events));
  },
  signer,
  names: ({ message: { programme, variant }, detail, type }) => ({
    campaign: programme.kind === 'campaign' ? programme.name : undefined,
    variant: programme.kind === 'campaign' ? variant.name || undefined : undefined,
    scope: detail.scope === 'stream' ? programme.stream : detail.scope,
    machine: type === 'opened' || type === 'clicked' ? detail.machine : undefined,
  }),
  garbage: (context) => ({
    code: 'NORMALIZE_BODY_UNREADABLE',
    draft: draft(
      context,
      context.random.pick([`[{"type":"delivered","message_id":"${context.runId}-`, '"delivered"', 'true']),
    ),
  }),
  badItem(entries, context) {
    const [code, value] = context.random.pick(badItems(context));
    const events: unknown[] = entries.map(({ step }) => eventOf(step, context));
    events.splice(context.random.int(0, events.length), 0, value);
    return { code, draft: draft(context, JSON.stringify(events)) };
  },
};

function draft({ runId, random }: WriteContext, body: string): Draft {
  return { id: `msg_${runId}_${random.hex(20)}`, body };
}

function eventOf(step: Step, { runId }: WriteContext): object {
  const { message, detail } = step;
  const { programme, variant } = message;
  const { campaign, variant: shown, scope, machine } = standardWebhooks.names(step);
  return {
    id: `${runId}-${step.id}`,
    type: step.type,
    occurred_at: step.id % 2 === 0 ? new Date(step.at).toISOString() : step.at,
    recipient: addressOf(step),
    esp_message_id: message.id,
    message_id: `<${message.id}@shop.example>`,
    sender: programme.sender,
    subject: variant.subject,
    campaign,
    variant: shown,
    stream: programme.stream,
    tags: programme.tags,
    metadata: metadataOf(step, runId),
    scope,
    is_machine: machine,
    url: detail.url,
    user_agent: detail.client?.userAgent,
    ip: detail.client?.ip,
    ...refusal(step),
  };
}

function refusal({ type, detail: { failure, attempt, dropReason } }: Step): object {
  if (type === 'dropped') return { drop_reason: dropReason, diagnostic: 'on the suppression list' };
  if (type === 'complained') return { feedback_type: 'abuse' };
  if (!failure) return {};
  const answer = { smtp_code: failure.code, enhanced_status: failure.status, diagnostic: failure.text };
  if (type === 'deferred') return { attempt, ...answer };
  return { bounce_class: failure.bounceClass, bounce_category: failure.category, ...answer };
}

function badItems({ runId, requestIndex, at }: WriteContext) {
  const event = { id: `${runId}-bad-${requestIndex}`, type: 'delivered' };
  const recipient = `bad${requestIndex}.${runId}@gmail.example`;
  return [
    ['NORMALIZE_RECIPIENT_INVALID', { ...event, recipient: `\u0007${recipient}`, occurred_at: at }],
    ['NORMALIZE_RECIPIENT_MISSING', { ...event, occurred_at: at }],
    [
      'NORMALIZE_ITEM_INVALID',
      { ...event, type: 'bounced', recipient, occurred_at: at, bounce_class: 'rubber' },
    ],
  ] as const;
}

function signer({ 'standard-webhooks': { secret } }: Parameters<Sender['signer']>[0]) {
  const webhook = new Webhook(secret);
  return ({ id, body: text }: Draft, now: number, flaw?: string) => {
    const timestamp = new Date(flaw === 'stale' ? now - STALE_MS : now);
    const body = text.toString();
    return {
      body: bytesOf(body),
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
        ...(flaw === 'missing'
          ? {}
          : { 'webhook-signature': webhook.sign(id, timestamp, flaw === 'wrong' ? `${body} ` : body) }),
      },
    };
  };
}
