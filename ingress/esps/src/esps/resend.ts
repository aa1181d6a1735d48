import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type VerifierSettings,
} from '../adapter.ts';
import { PUBLISHED_ADDRESSES } from '../published-addresses.ts';
import { bounceVerdict, dropReason, type VendorWord } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import {
  addressList,
  bareAddress,
  each,
  firstText,
  headerPairs,
  itemObject,
  messageId,
  metadataOf,
  metadataValue,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { isObject, type JsonObject, listOf, objectOf, oneObject, parseJson } from '../reading/json.ts';
import { firstTime, isoTime } from '../reading/time.ts';
import {
  STANDARD_WEBHOOKS_CREDENTIALS,
  standardWebhooksVerifier,
  WEBHOOK_ID_HEADERS,
  webhookId,
} from '../schemes/standard-webhooks.ts';
import { sesWord } from './ses/details.ts';

// Seen 2026-11: https://resend.com/docs/webhooks/event-types and the types of resend-node.

const EVENT_TYPES = {
  'email.sent': 'queued',
  'email.scheduled': 'queued',
  'email.delivered': 'delivered',
  'email.delivery_delayed': 'deferred',
  'email.bounced': 'bounced',
  'email.complained': 'complained',
  'email.opened': 'opened',
  'email.clicked': 'clicked',
  'email.failed': 'dropped',
  'email.suppressed': 'dropped',
  'email.received': 'other',
  'contact.created': 'other',
  'contact.updated': 'other',
  'contact.topics.updated': 'unsubscribed',
  'suppression.added': 'unsubscribed',
  'suppression.removed': 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

/** Happens to a message and a recipient once; the others may come again. */
const ONCE: ReadonlySet<string> = new Set([
  'email.sent',
  'email.scheduled',
  'email.delivered',
  'email.bounced',
  'email.complained',
  'email.failed',
  'email.suppressed',
]);

/** Before `bounce.type` there was only prose. */
const BOUNCE_PROSE: readonly (readonly [RegExp, VendorWord['says']])[] = [
  [/hard bounce|suppressed sending|suppression list/i, 'hard'],
  [/(?:inbox|mailbox) (?:was|is) full/i, 'soft'],
];

export const resend = {
  name: 'resend',
  title: 'Resend',
  documentation: [
    'https://resend.com/docs/webhooks/event-types',
    'https://resend.com/docs/webhooks/verify-webhooks-requests',
    'https://resend.com/docs/webhooks/retries-and-replays',
  ],
  http: {
    ...JSON_BY_POST,
    keepHeaders: WEBHOOK_ID_HEADERS,
    addresses: PUBLISHED_ADDRESSES.resend,
  },
  credentials: STANDARD_WEBHOOKS_CREDENTIALS,
  verifier: (settings: VerifierSettings) => standardWebhooksVerifier('resend', settings),
  split: oneObject,
  normalize,
  headers: (item: Item) => headerPairs(objectOf(objectOf(item.value).data).headers),
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      'contact.created, contact.updated (unsubscribed)': 'unsubscribed',
      'contact.topics.updated (opt_in)': 'subscribed',
    },
    proof: 'Standard Webhooks under `svix-*` headers',
    retries:
      'after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h, signed anew, unless the answer is 2xx within 15 s',
    identity:
      'the svix-id header; with several addressees the message, for what happens to it once; without either, the item',
    fills: {
      campaign: '`broadcast_id`',
      stream: 'topic of a contact',
      metadata: '`tags`, header `X-Metadata`',
      tags: 'header `X-Tags`',
      headers: 'all, where the event has them',
    },
    limitations: [
      'Does not say whom of several addressees an event is about: unless the text of a failure names one, each is given it; a bounce is then undetermined and a complaint "other", so that nobody is suppressed by guess.',
      'Opens have no client; machine opens are not told.',
      'That a contact is subscribed again is told like any other change of it, so it lifts nothing; joining a topic does.',
    ],
    ignored: [
      'data.created_at',
      'data.updated_at',
      'data.id',
      'data.audience_id',
      'data.segment_ids[]',
      'data.first_name',
      'data.last_name',
      'data.template_id',
      'data.cc[]',
      'data.bcc[]',
      'data.reply_to[]',
      'data.headers[].*',
    ],
  },
} as const satisfies EspAdapter;

function normalize(item: Item, request: EspRequest): Iterable<EspEvent> {
  const event = itemObject(item.value);
  const vendorType = required(event.type, 'type');
  const data = objectOf(event.data);
  const choices = choicesOf(vendorType, data);
  if (choices.length > 0)
    return each(choices, (choice) => contactEvent(choice, vendorType, event, item, request));
  const known = TYPES.get(vendorType) ?? 'other';
  const recipients = NO_MAIL.has(known) ? [bareAddress(data.email)] : recipientsOf(data);
  // One of several has complained, and the event does not say who.
  const type = NO_MAIL.has(known) || (known === 'complained' && recipients.length > 1) ? 'other' : known;
  const shared = {
    type,
    esp_event_type: vendorType,
    // The client's own times are of the same moment.
    occurred_at: firstTime(event.created_at, objectOf(data.click).timestamp, objectOf(data.open).timestamp),
    identity: identityOf(vendorType, recipients, data, item, request),
    esp_event_id: webhookId(request),
    esp_message_id: text(data.email_id),
    message_id: messageId(data.message_id),
    sender: bareAddress(data.from) || null,
    subject: text(data.subject),
    campaign: text(data.broadcast_id),
    tags: tagsOf(headerJson(data, 'x-tags')),
    metadata: metadataIn(data),
    ...details(type, data, recipients.length > 1, item),
  };
  return each(recipients, (recipient) => ({ ...shared, recipient }));
}

/** Types of events that are not about a sent message; those that hold a choice are read before. */
const NO_MAIL: ReadonlySet<EventType> = new Set(['other', 'unsubscribed']);

function contactEvent(
  choice: Choice,
  vendorType: string,
  event: JsonObject,
  item: Item,
  request: EspRequest,
): EspEvent {
  const { email, source_id } = objectOf(event.data);
  const webhook = webhookId(request);
  return {
    ...choice,
    esp_event_type: vendorType,
    occurred_at: isoTime(event.created_at),
    recipient: recipientOf(email),
    identity: [...(webhook === null ? ['item', item.text] : ['webhook', webhook]), choice.scope],
    formerly: [{ type: 'other', identity: webhook === null ? ['item', item.text] : ['webhook', webhook] }],
    esp_event_id: webhook,
    // The message whose bounce or complaint put the address on the list.
    esp_message_id: text(source_id),
  };
}

function details(type: EventType, data: JsonObject, shared: boolean, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'bounced':
      return bounce(objectOf(data.bounce), shared);
    case 'dropped': {
      const { failed, suppressed, bounce: refused } = data;
      const diagnostic = firstText(
        objectOf(failed).reason,
        objectOf(suppressed).message,
        objectOf(refused).message,
        objectOf(suppressed).type,
      );
      return { drop_reason: dropReason(diagnostic), diagnostic };
    }
    case 'opened':
      return client(objectOf(data.open));
    case 'clicked': {
      const click = objectOf(data.click);
      return { ...client(click), url: text(click.link) };
    }
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function bounce(refused: JsonObject, shared: boolean): Partial<EspEvent> {
  const message = text(refused.message);
  const answer = answerOf(refused);
  const smtp = smtpFacts(answer);
  const word = refused.type
    ? sesWord(text(refused.type), text(refused.subType))
    : { says: BOUNCE_PROSE.find(([pattern]) => pattern.test(message ?? ''))?.[1] };
  const verdict = bounceVerdict(smtp, answer ?? message, word);
  return {
    ...verdict,
    bounce_class: shared ? 'undetermined' : verdict.bounce_class,
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: answer ?? message,
  };
}

/** The answers of the receiving servers, one a line. */
function answerOf(refused: JsonObject): string | null {
  return text(tagsOf(refused.diagnosticCode).join('\n'));
}

function client(detail: JsonObject): Pick<EspEvent, 'user_agent' | 'ip'> {
  return { user_agent: text(detail.userAgent), ip: text(detail.ipAddress) };
}

/** Characters. */
const TOLD_LENGTH = 4_000;

/** Those the event may be about: the one whom the text of a failure names, else all addressees. */
function recipientsOf(data: JsonObject): string[] {
  const addressed = [...new Set(addressList(data.to))];
  if (addressed.length === 0) {
    throw new Refusal('NORMALIZE_RECIPIENT_MISSING', 'the event names no recipient');
  }
  if (addressed.length === 1) return addressed;
  const refused = objectOf(data.bounce);
  const said = `${answerOf(refused) ?? ''} ${text(refused.message) ?? ''}`;
  // Every addressee is looked for in it: what is longer than servers say is not looked through.
  const told = said.slice(0, TOLD_LENGTH).toLowerCase();
  const named = addressed.filter((address) => told.includes(address.toLowerCase()));
  return named.length === 1 ? named : addressed;
}

function identityOf(
  vendorType: string,
  recipients: readonly string[],
  data: JsonObject,
  item: Item,
  request: EspRequest,
): EspEvent['identity'] {
  const message = text(data.email_id);
  // Each addressee causes an event, and each of these is given to all: without this, n people would be delivered n² times.
  if (recipients.length > 1 && message !== null && ONCE.has(vendorType)) {
    return ['message', vendorType, message];
  }
  const webhook = webhookId(request);
  return webhook === null ? ['item', item.text] : ['webhook', webhook];
}

/** Tags have keys, so they are metadata: an object, or a list of names and values in older events. */
function metadataIn(data: JsonObject): { [key: string]: string } {
  const metadata = { ...metadataOf(headerJson(data, 'x-metadata')), ...metadataOf(data.tags) };
  for (const tag of listOf(data.tags)) {
    const name = isObject(tag) ? text(tag.name) : null;
    if (isObject(tag) && name !== null) metadata[name] = metadataValue(tag.value);
  }
  return metadata;
}

/** Mail libraries put plain tags and further metadata as JSON into headers. */
function headerJson(data: JsonObject, name: string): unknown {
  for (const header of listOf(data.headers)) {
    const { name: found, value } = objectOf(header);
    if (text(found)?.toLowerCase() !== name || typeof value !== 'string') continue;
    try {
      return parseJson(value);
    } catch {
      return value;
    }
  }
  return undefined;
}

// Events about a contact or an address, rather than a message. Seen 2026-11:
// https://resend.com/docs/webhooks/contacts/updated, …/contacts/topics-updated and …/suppressions/added.

/** A choice about future mail. */
type Choice = Pick<EspEvent, 'type' | 'scope' | 'method'> & { readonly stream?: string };

/**
 * The choices in an event, empty if there is none. `unsubscribed: false` is none: every change of a contact has it, and
 * a new surname must not bring back a contact who has left by another way.
 */
function choicesOf(vendorType: string, data: JsonObject): readonly Choice[] {
  switch (vendorType) {
    // The link of a broadcast arrives as an update of the contact.
    case 'contact.created':
    case 'contact.updated':
      return data.unsubscribed === true ? [{ type: 'unsubscribed', scope: 'all', method: 'contact' }] : [];
    case 'contact.topics.updated':
      return listOf(data.topics).map(objectOf).flatMap(topicChoice);
    case 'suppression.added':
      // Resend sends nothing to it any more. That it is removed says nothing of consent.
      return [
        { type: 'unsubscribed', scope: 'all', method: `suppression ${text(data.origin) ?? ''}`.trim() },
      ];
    default:
      return [];
  }
}

/** Only topics that changed are listed. */
function topicChoice({ id, subscription }: JsonObject): Choice[] {
  const topic = text(id);
  if (topic === null) return [];
  if (subscription === 'opt_out')
    return [{ type: 'unsubscribed', scope: topic, stream: topic, method: 'topic' }];
  return subscription === 'opt_in'
    ? [{ type: 'subscribed', scope: topic, stream: topic, method: 'topic' }]
    : [];
}
