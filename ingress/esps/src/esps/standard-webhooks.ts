import { EVENT_TYPES, type EventType, isEventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type VerifierSettings,
} from '../adapter.ts';
import { type BounceVerdict, bounceVerdict } from '../reading/bounce.ts';
import { type BounceCategory, type BounceClass, smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  flag,
  integer,
  itemObject,
  messageId,
  metadataOf,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { isObject, JsonItem, type JsonObject, parseBody, stringifyJson } from '../reading/json.ts';
import { anyTime } from '../reading/time.ts';
import {
  STANDARD_WEBHOOKS_CREDENTIALS,
  standardWebhooksVerifier,
  WEBHOOK_ID_HEADERS,
  webhookId,
} from '../schemes/standard-webhooks.ts';

// Our own format, for senders that speak for themselves: see README.md, "The canonical JSON event".

const BOUNCE_CLASSES = ['hard', 'soft', 'undetermined'] as const;
const BOUNCE_CATEGORIES = [
  'invalid_mailbox',
  'mailbox_full',
  'domain_not_found',
  'policy',
  'spam',
  'content',
  'too_large',
  'timeout',
  'relay',
  'other',
] as const;
const DROP_REASONS = [
  'bounced',
  'unsubscribed',
  'complained',
  'invalid',
  'spam',
  'expired',
  'content',
  'other',
] as const;

export const standardWebhooks = {
  name: 'standard-webhooks',
  title: 'Standard Webhooks (canonical events)',
  documentation: ['https://www.standardwebhooks.com'],
  http: {
    ...JSON_BY_POST,
    keepHeaders: WEBHOOK_ID_HEADERS,
  },
  credentials: STANDARD_WEBHOOKS_CREDENTIALS,
  verifier: (settings: VerifierSettings) => standardWebhooksVerifier('standard-webhooks', settings),
  split,
  normalize,
  facts: {
    eventTypes: Object.fromEntries(EVENT_TYPES.map((type) => [type, type])),
    proof: 'HMAC-SHA256 over id, timestamp and body',
    retries: 'as the sender likes; each repetition keeps webhook-id and is signed anew',
    identity: 'the event’s id, else webhook-id and the position in the request',
    fills: {
      campaign: '`campaign`',
      variant: '`variant`',
      stream: '`stream`',
      metadata: '`metadata`',
      tags: '`tags`',
    },
    limitations: [],
    ignored: [],
  },
} as const satisfies EspAdapter;

function split({ body }: EspRequest): readonly Item[] {
  const parsed = parseBody(body);
  if (Array.isArray(parsed)) return parsed.map((value, index) => new JsonItem(index, value));
  if (!isObject(parsed)) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is no object and no list');
  return [new JsonItem(0, parsed)];
}

function normalize(item: Item, request: EspRequest): readonly EspEvent[] {
  const event = itemObject(item.value);
  const named = required(event.type, 'type');
  const type = isEventType(named) ? named : 'other';
  const id = text(event.id);
  return [
    {
      type,
      esp_event_type: text(event.esp_event_type) ?? named,
      occurred_at: anyTime(event.occurred_at),
      recipient: type === 'other' ? bareAddress(event.recipient) : recipientOf(event.recipient),
      identity: identityOf(id, item, request),
      esp_event_id: id,
      esp_message_id: text(event.esp_message_id),
      message_id: messageId(event.message_id),
      sender: bareAddress(event.sender) || null,
      subject: text(event.subject),
      campaign: text(event.campaign),
      variant: text(event.variant),
      stream: text(event.stream),
      tags: tagsOf(event.tags),
      metadata: metadataOf(event.metadata),
      ...details(type, event, item),
    },
  ];
}

function details(type: EventType, event: JsonObject, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'delivered':
      return { smtp_response: text(event.smtp_response), remote_mta: text(event.remote_mta) };
    case 'deferred':
      return { attempt: integer(event.attempt), ...failure(event) };
    case 'bounced':
      return bounce(event);
    case 'dropped':
      return {
        drop_reason: oneOf(DROP_REASONS, event.drop_reason, 'drop_reason') ?? 'other',
        diagnostic: text(event.diagnostic),
      };
    case 'opened':
      return { ...client(event), is_machine: flag(event.is_machine) };
    case 'clicked':
      return { ...client(event), url: text(event.url), is_machine: flag(event.is_machine) };
    case 'complained':
      return { feedback_type: text(event.feedback_type) };
    case 'unsubscribed':
    case 'subscribed':
      return { ...client(event), scope: text(event.scope) ?? 'all', method: text(event.method) };
    case 'other':
      return { payload: payloadOf(event, item) };
    case 'queued':
      return {};
  }
}

function failure(event: JsonObject): Pick<EspEvent, 'smtp_code' | 'enhanced_status' | 'diagnostic'> {
  const diagnostic = text(event.diagnostic);
  const smtp = smtpFacts(diagnostic, event.smtp_code, event.enhanced_status);
  return { smtp_code: smtp.code, enhanced_status: smtp.enhanced, diagnostic };
}

function bounce(event: JsonObject): Partial<EspEvent> {
  const diagnostic = text(event.diagnostic);
  const smtp = smtpFacts(diagnostic, event.smtp_code, event.enhanced_status);
  const said = oneOf(BOUNCE_CLASSES, event.bounce_class, 'bounce_class');
  const category = oneOf(BOUNCE_CATEGORIES, event.bounce_category, 'bounce_category');
  return {
    ...ownVerdict(said, category, bounceVerdict(smtp, diagnostic)),
    ...failure(event),
    remote_mta: text(event.remote_mta),
  };
}

/** The sender's own words stand, but for a "hard" whose cause is not the address. */
function ownVerdict(
  said: BounceClass | null,
  category: BounceCategory | null,
  read: BounceVerdict,
): BounceVerdict {
  const cause = category ?? read.bounce_category;
  const aboutAddress = ADDRESS_CAUSES.has(cause);
  const bounce_class = said ?? (category === null || aboutAddress ? read.bounce_class : 'soft');
  return {
    bounce_class: bounce_class === 'hard' && !aboutAddress ? 'soft' : bounce_class,
    bounce_category: cause,
  };
}
const ADDRESS_CAUSES: ReadonlySet<BounceCategory> = new Set(['invalid_mailbox', 'domain_not_found', 'other']);

function client(event: JsonObject): Pick<EspEvent, 'user_agent' | 'ip'> {
  return { user_agent: text(event.user_agent), ip: text(event.ip) };
}

function payloadOf(event: JsonObject, item: Item): string {
  const { payload } = event;
  if (payload === undefined || payload === null) return item.text;
  return typeof payload === 'string' ? payload : stringifyJson(payload);
}

/** One of the words; null if absent. Throws Refusal for another: a sender that speaks our format must know its words. */
function oneOf<Word extends string>(words: readonly Word[], value: unknown, name: string): Word | null {
  if (value === undefined || value === null) return null;
  const word = words.find((candidate) => candidate === value);
  if (!word) throw new Refusal('NORMALIZE_ITEM_INVALID', `${name} is none of its values`);
  return word;
}

function identityOf(id: string | null, item: Item, request: EspRequest): EspEvent['identity'] {
  if (id !== null) return ['id', id];
  const webhook = webhookId(request);
  return webhook === null ? ['item', item.text] : ['webhook', webhook, item.index];
}
