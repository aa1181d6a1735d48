import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  type VerifierSettings,
} from '../adapter.ts';
import { bounceVerdict } from '../reading/bounce.ts';
import { NO_ANSWER } from '../reading/bounce-table.ts';
import { bareAddress, firstText, itemObject, recipientOf, required, text } from '../reading/fields.ts';
import { type JsonObject, listOf, objectOf, oneObject } from '../reading/json.ts';
import { epochTime } from '../reading/time.ts';
import {
  STANDARD_WEBHOOKS_CREDENTIALS,
  standardWebhooksVerifier,
  WEBHOOK_ID_HEADERS,
  webhookId,
} from '../schemes/standard-webhooks.ts';

// Seen 2026-11: https://loops.so/docs/webhooks and the webhooks of https://app.loops.so/openapi.json (1.21).

const EVENT_TYPES = {
  'campaign.email.sent': 'queued',
  'loop.email.sent': 'queued',
  'transactional.email.sent': 'queued',
  'email.delivered': 'delivered',
  'email.softBounced': 'bounced',
  'email.hardBounced': 'bounced',
  'email.opened': 'opened',
  'email.clicked': 'clicked',
  // By a link, of all marketing mail or of one list: which, only the event of the contact says that comes with it.
  'email.unsubscribed': 'other',
  'email.resubscribed': 'subscribed',
  'email.spamReported': 'complained',
  // Also sent when a contact is deleted: Loops will not write to it any more.
  'contact.unsubscribed': 'unsubscribed',
  'contact.mailingList.subscribed': 'subscribed',
  'contact.mailingList.unsubscribed': 'unsubscribed',
  'testing.testEvent': 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));
/** The types that these events had in version 1 of the identities. */
const FORMER_TYPES: ReadonlyMap<string, EventType> = new Map([
  ['email.unsubscribed', 'unsubscribed'],
  ['contact.unsubscribed', 'other'],
  ['contact.mailingList.subscribed', 'other'],
  ['contact.mailingList.unsubscribed', 'other'],
]);

export const loops = {
  name: 'loops',
  title: 'Loops',
  documentation: ['https://loops.so/docs/webhooks'],
  http: {
    ...JSON_BY_POST,
    keepHeaders: WEBHOOK_ID_HEADERS,
  },
  credentials: STANDARD_WEBHOOKS_CREDENTIALS,
  verifier: (settings: VerifierSettings) => standardWebhooksVerifier('loops', settings),
  split: oneObject,
  normalize,
  facts: {
    eventTypes: EVENT_TYPES,
    proof: 'Standard Webhooks',
    retries: 'not documented; each repetition keeps webhook-id and is signed anew, unless the answer is 2xx',
    identity: 'the webhook-id header; without one, the item',
    fills: {
      campaign: '`campaignId`, `loopId` or `transactionalId`',
      stream: 'mailing list',
      user: '`userId`',
    },
    limitations: [
      'Tells neither the link of a click nor the client of an open or a click.',
      'Tells no reason of a bounce, only whether it is hard or soft.',
      'Opens and clicks of transactional mail are not tracked.',
      'email.unsubscribed does not say whether it was of everything or of a list: choose contact.unsubscribed and contact.mailingList.unsubscribed for the webhook, which do.',
      'At most 10 requests a second, so events of a large campaign come late.',
    ],
    ignored: [
      'webhookSchemaVersion',
      'sourceType',
      // Names come with the sending only; what follows has the id alone.
      'campaignName',
      'loopName',
      'transactionalName',
      'contactIdentity.id',
      'email.emailMessageId',
      'mailingLists[].*',
      'mailingList.*',
    ],
  },
} as const satisfies EspAdapter;

function normalize(item: Item, request: EspRequest): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.eventName, 'eventName');
  const type = TYPES.get(vendorType) ?? 'other';
  const email = objectOf(event.email);
  const contact = objectOf(event.contactIdentity);
  const id = webhookId(request);
  const former = FORMER_TYPES.get(vendorType);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: epochTime(event.eventTime),
      recipient: type === 'other' ? bareAddress(contact.email) : recipientOf(contact.email),
      identity: id === null ? ['item', item.text] : ['webhook', id],
      ...(former ? { formerly: [{ type: former }] } : {}),
      esp_event_id: id,
      esp_message_id: text(email.id),
      subject: text(email.subject),
      campaign: firstText(event.campaignId, event.loopId, event.transactionalId),
      stream: mailingList(event),
      user: text(contact.userId),
      ...details(type, vendorType, event, item),
    },
  ];
}

function details(type: EventType, vendorType: string, event: JsonObject, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'bounced':
      return bounceVerdict(NO_ANSWER, null, { says: vendorType === 'email.hardBounced' ? 'hard' : 'soft' });
    case 'unsubscribed':
    case 'subscribed':
      return { scope: scopeOf(vendorType, event) };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

/** A list that was joined or left, else all marketing mail. */
function scopeOf(vendorType: string, event: JsonObject): string {
  if (!vendorType.startsWith('contact.mailingList.')) return 'all';
  return required(mailingList(event), 'mailingList');
}

/** The list that the event is about, or a campaign went to. Several are possible, and then none of them is its stream. */
function mailingList(event: JsonObject): string | null {
  const lists = event.mailingList === undefined ? listOf(event.mailingLists) : [event.mailingList];
  return lists.length === 1 ? firstText(objectOf(lists[0]).name, objectOf(lists[0]).id) : null;
}
