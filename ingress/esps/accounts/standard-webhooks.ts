import type { Account } from './kit/account.ts';
import { asListOfTwo, inText, STANDARD_PROOF, standardWebhooks as signed } from './kit/signing.ts';
import {
  addressOf,
  campaignOf,
  type EventNames,
  machineOf,
  metadataOf,
  variantOf,
  type WriteContext,
} from './kit/speech.ts';
import type { Step } from './kit/story.ts';

/** The pipeline's own format (ingress/esps/README.md). */
export const standardWebhooks = {
  ...signed('standard-webhooks'),
  contract: {
    ...STANDARD_PROOF,
    body: '{"id":"e1","type":"queued","occurred_at":1793610930000,"recipient":"a@example.com"}',
    times: inText('occurred_at'),
    bounce: ({ code, status, line, to, iso }) => ({
      ...{ type: 'bounced', id: 'e', occurred_at: iso, recipient: to },
      ...{ smtp_code: code, enhanced_status: status ?? undefined, diagnostic: line },
    }),
    batch: asListOfTwo,
  },
  speech: {
    use: { rank: 5, share: 0.12, campaigns: 0.7 },
    silentOn: [],
    leaves: ['all', 'stream'],
    returns: ['all', 'stream'],
    signsAnew: true,
    batchSize: (random) => (random.chance(0.5) ? 1 : random.int(2, 25)),
    body: (events) => JSON.stringify(events.length === 1 ? events[0] : events),
    draft: (body, { runId, random }) => ({ id: `msg_${runId}_${random.hex(20)}`, body }),
    names,
    garbage: ({ runId, random }) => ({
      code: 'NORMALIZE_BODY_UNREADABLE',
      body: random.pick([`[{"type":"delivered","message_id":"${runId}-`, '"delivered"', 'true']),
    }),
    badEvents,
    event({ step }, { runId }) {
      const { message, detail } = step;
      const { programme, variant } = message;
      const { machine, ...named } = names(step);
      return {
        id: `${runId}-${step.id}`,
        type: step.type,
        occurred_at: step.id % 2 === 0 ? new Date(step.at).toISOString() : step.at,
        recipient: addressOf(step),
        esp_message_id: message.id,
        message_id: `<${message.id}@shop.example>`,
        sender: programme.sender,
        subject: variant.subject,
        ...named,
        stream: programme.stream,
        tags: programme.tags,
        metadata: metadataOf(step, runId),
        is_machine: machine,
        url: detail.url,
        user_agent: detail.client?.userAgent,
        ip: detail.client?.ip,
        ...refusal(step),
      };
    },
  },
} satisfies Account<string>;

function names(step: Step): EventNames {
  return {
    campaign: campaignOf(step),
    variant: variantOf(step),
    scope: step.detail.scope === 'stream' ? step.message.programme.stream : step.detail.scope,
    machine: machineOf(step),
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

function badEvents({ runId, requestIndex, at }: WriteContext) {
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
