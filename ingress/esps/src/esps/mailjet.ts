import type { EmailDropped, EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
} from '../adapter.ts';
import { bounceVerdict } from '../reading/bounce.ts';
import { type BounceCategory, smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  firstText,
  itemObject,
  metadataOfText,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { isObject, JsonItem, type JsonObject, parseBody } from '../reading/json.ts';
import { epochTime } from '../reading/time.ts';
import { CREDENTIAL_OPTIONS, credentialVerifier } from '../schemes/credentials.ts';

// Seen 2026-11: https://dev.mailjet.com/email/guides/webhooks/

const EVENT_TYPES = {
  // Mailjet says "sent" when the receiving server has accepted the message.
  sent: 'delivered',
  open: 'opened',
  click: 'clicked',
  bounce: 'bounced',
  blocked: 'dropped',
  spam: 'complained',
  unsub: 'unsubscribed',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

const GREYLISTED = 'greylisted';

interface ErrorMeaning {
  readonly category: BounceCategory;
  readonly drop: EmailDropped['drop_reason'];
}

/** By `error`; the same words explain bounces and what was not sent at all. */
const ERRORS: ReadonlyMap<string, ErrorMeaning> = new Map<string, ErrorMeaning>([
  ['user unknown', { category: 'invalid_mailbox', drop: 'invalid' }],
  ['mailbox inactive', { category: 'invalid_mailbox', drop: 'invalid' }],
  ['quota exceeded', { category: 'mailbox_full', drop: 'other' }],
  ['blacklisted', { category: 'policy', drop: 'other' }],
  ['spam reporter', { category: 'policy', drop: 'complained' }],
  ['invalid domain', { category: 'domain_not_found', drop: 'invalid' }],
  ['no mail host', { category: 'domain_not_found', drop: 'invalid' }],
  ['relay/access denied', { category: 'relay', drop: 'other' }],
  [GREYLISTED, { category: 'other', drop: 'other' }],
  ['typofix', { category: 'invalid_mailbox', drop: 'invalid' }],
  ['bad or empty template', { category: 'content', drop: 'content' }],
  ['error in template language', { category: 'content', drop: 'content' }],
  ['sender blocked', { category: 'policy', drop: 'spam' }],
  ['content blocked', { category: 'content', drop: 'spam' }],
  ['policy issue', { category: 'policy', drop: 'spam' }],
  ['connection issue', { category: 'timeout', drop: 'other' }],
  // Earlier messages to this address were blocked or bounced.
  ['preblocked', { category: 'policy', drop: 'bounced' }],
  ['duplicate in campaign', { category: 'other', drop: 'other' }],
]);

const credentials = { secret: 'user:password of Basic authentication', options: CREDENTIAL_OPTIONS } as const;

export const mailjet = {
  name: 'mailjet',
  title: 'Mailjet',
  documentation: ['https://dev.mailjet.com/email/guides/webhooks/'],
  http: JSON_BY_POST,
  credentials,
  verifier: (settings) => credentialVerifier('mailjet', credentials, settings),
  split,
  normalize,
  facts: {
    eventTypes: { ...EVENT_TYPES, 'bounce (greylisted)': 'deferred' },
    proof: 'Basic authentication, a header, or a token in the URL',
    retries: 'every 30 s, unless the answer is 200; after 24 h of failures the URL is suspended',
    identity: 'type, MessageID, recipient, time, link and client: there is no event id',
    fills: {
      campaign: '`customcampaign`, else `mj_campaign_id`',
      stream: 'list of an unsubscribe',
      metadata: '`Payload`',
      tags: '`CustomID`',
    },
    limitations: [
      'Signs nothing: Basic authentication is the only proof.',
      'Says neither that a message was accepted for sending nor which opens are of machines.',
      'Times are whole seconds.',
    ],
    ignored: [
      'blocked',
      'comment',
      'error',
      'error_related_to',
      'geo',
      'hard_bounce',
      'mj_campaign_id',
      'mj_contact_id',
      'mj_list_id',
      'mj_message_id',
      'Message_GUID',
    ],
  },
} as const satisfies EspAdapter;

/** One event, or (version 2, grouped) a list of them. */
function split({ body }: EspRequest): readonly Item[] {
  const parsed = parseBody(body);
  if (Array.isArray(parsed)) return parsed.map((event, index) => new JsonItem(index, event));
  if (isObject(parsed)) return [new JsonItem(0, parsed)];
  throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is neither an object nor a list');
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.event, 'event');
  const type = typeOf(vendorType, event);
  const occurredAt = epochTime(event.time);
  const message = idOf(event.MessageID) ?? idOf(event.mj_message_id) ?? text(event.Message_GUID);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: occurredAt,
      recipient: type === 'other' ? bareAddress(event.email) : recipientOf(event.email),
      identity:
        message === null || typeof occurredAt !== 'number'
          ? ['item', item.text]
          : ['event', vendorType, message, occurredAt, text(event.url), text(event.ip), text(event.agent)],
      esp_message_id: message,
      campaign: text(event.customcampaign) ?? idOf(event.mj_campaign_id),
      stream: listOfUnsubscribe(type, event),
      tags: tagsOf(event.CustomID),
      metadata: metadataOfText(event.Payload, 'Payload'),
      ...details(type, event, item),
    },
  ];
}

function typeOf(vendorType: string, event: JsonObject): EventType {
  // A server that greylists asks to come again, and Mailjet does.
  if (vendorType === 'bounce' && errorOf(event) === GREYLISTED) return 'deferred';
  return TYPES.get(vendorType) ?? 'other';
}

/** Ids are beyond 2^53 (bigint here); 0 stands for none. */
function idOf(value: unknown): string | null {
  const id = text(value);
  return id === '0' ? null : id;
}

function details(type: EventType, event: JsonObject, item: Item): Partial<EspEvent> {
  const meaning = ERRORS.get(errorOf(event) ?? '');
  switch (type) {
    case 'delivered':
      return { smtp_response: text(event.smtp_reply) };
    case 'deferred':
      return failure(event);
    case 'bounced':
      return {
        ...bounceVerdict(
          smtpFacts(text(event.comment)),
          text(event.comment ?? (meaning ? null : event.error)),
          {
            says: isTrue(event.hard_bounce) ? 'hard' : 'soft',
            category: meaning?.category,
          },
        ),
        ...failure(event),
      };
    case 'dropped':
      return { drop_reason: meaning?.drop ?? 'other', diagnostic: failure(event).diagnostic };
    case 'opened':
      return client(event);
    case 'clicked':
      return { ...client(event), url: text(event.url) };
    case 'complained':
      return { feedback_type: text(event.source) };
    case 'unsubscribed':
      return { ...client(event), scope: listOfUnsubscribe(type, event) ?? 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function errorOf(event: JsonObject): string | null {
  return text(event.error)?.trim().toLowerCase() ?? null;
}

function isTrue(value: unknown): boolean {
  return value === true || value === 1 || value === 'true' || value === '1';
}

/** `comment` quotes the receiving server; `error` is Mailjet's word for it. */
function failure(event: JsonObject) {
  const { code, enhanced } = smtpFacts(text(event.comment));
  const words = [text(event.error_related_to), text(event.error)].filter((part) => part !== null).join(': ');
  return { smtp_code: code, enhanced_status: enhanced, diagnostic: firstText(event.comment, words) };
}

function client(event: JsonObject) {
  return { user_agent: text(event.agent), ip: text(event.ip) };
}

function listOfUnsubscribe(type: EventType, event: JsonObject): string | null {
  return type === 'unsubscribed' ? idOf(event.mj_list_id) : null;
}
