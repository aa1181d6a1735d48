import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  type Verdict,
  type VerifierSettings,
} from '../adapter.ts';
import { PUBLISHED_ADDRESSES } from '../published-addresses.ts';
import { bounceVerdict, dropReason } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import { bareAddress, firstText, flag, itemObject, recipientOf, required, text } from '../reading/fields.ts';
import { type JsonObject, objectOf, oneObject, parseJson } from '../reading/json.ts';
import { epochTime } from '../reading/time.ts';
import { checkSettings, refusedAt, staleness, TOLERANCE_OPTION, windowOf } from '../schemes/settings.ts';
import { judgeHexHmac } from '../schemes/signatures.ts';

// Seen 2026-11: https://docs.customer.io/api/webhooks and https://docs.customer.io/journeys/webhooks
// No test vector is published. The text of the timestamp header is signed as it stands, by the documentation's example.

const TIMESTAMP = 'x-cio-timestamp';
const SIGNATURE = 'x-cio-signature';
const VERSION = 'v0';

// Retries go on for 7 days, and it is not documented whether they are signed anew.
const WINDOW_SECONDS = (7 * 24 + 1) * 3600;

/** By object and metric: the same metrics exist for push messages, SMS and others, which are no email. */
const EVENT_TYPES = {
  email_drafted: 'other',
  // "Couldn't be sent, will be retried."
  email_attempted: 'deferred',
  email_sent: 'queued',
  email_delivered: 'delivered',
  email_deferred: 'deferred',
  email_bounced: 'bounced',
  email_dropped: 'dropped',
  email_failed: 'dropped',
  email_undeliverable: 'dropped',
  email_opened: 'opened',
  email_human_opened: 'opened',
  email_clicked: 'clicked',
  email_human_clicked: 'clicked',
  email_converted: 'other',
  email_spammed: 'complained',
  email_unsubscribed: 'unsubscribed',
  email_subscribed: 'subscribed',
  customer_unsubscribed: 'unsubscribed',
  customer_subscribed: 'subscribed',
  customer_cio_subscription_preferences_changed: 'unsubscribed',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

const credentials = { secret: 'webhook signing key', options: [TOLERANCE_OPTION] } as const;

export const customerio = {
  name: 'customerio',
  title: 'Customer.io',
  documentation: ['https://docs.customer.io/api/webhooks', 'https://docs.customer.io/journeys/webhooks'],
  http: {
    ...JSON_BY_POST,
    addresses: PUBLISHED_ADDRESSES.customerio,
  },
  credentials,
  verifier,
  split: oneObject,
  normalize,
  facts: {
    eventTypes: { ...EVENT_TYPES, 'customer_cio_subscription_preferences_changed (true)': 'subscribed' },
    proof: 'HMAC-SHA256 over `v0:`, timestamp and body',
    retries: 'for 7 days at growing intervals, unless the answer is 2xx within 4 s; later events wait for it',
    identity: 'event_id; without one, the item',
    fills: {
      campaign: 'the number of the campaign, broadcast or newsletter',
      variant: '`content_id`',
      stream: 'topic of a preference',
      user: '`customer_id`',
    },
    limitations: [
      'Does not say whether a bounce is hard: its text decides, and without an SMTP answer it is undetermined.',
      'Opens and human opens are two events with two ids: subscribe to one of them.',
      'Campaigns, broadcasts and newsletters have numbers, not names.',
      'Says nothing of the client of an open or a click.',
    ],
    ignored: [
      'object_type',
      'data.identifiers.*',
      'data.action_id',
      'data.parent_action_id',
      'data.trigger_id',
      'data.trigger_event_id',
      'data.transactional_message_id',
      'data.link_id',
      'data.headers',
      'data.headers.*',
      'data.body',
      'data.body_amp',
      'data.channels[]',
      'object_type_type',
      'delivery_type',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('customerio', credentials, settings);
  const window = windowOf(settings, WINDOW_SECONDS);
  return {
    verify({ headers, body, receivedAt }: EspRequest): Verdict {
      const timestamp = headers[TIMESTAMP];
      const signature = headers[SIGNATURE];
      if (!timestamp || !signature) return { outcome: 'refused', code: 'SIGNATURE_MISSING' };
      const stale = staleness(timestamp, receivedAt, window);
      if (stale) return refusedAt(stale, timestamp);
      const verdict = judgeHexHmac(settings.secrets, [`${VERSION}:${timestamp}:`, body], signature);
      return verdict.outcome === 'refused' ? refusedAt(verdict.code, timestamp) : verdict;
    },
  };
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const metric = required(event.metric, 'metric');
  // As the documentation names them.
  const vendorType = `${objectTypeOf(event, metric)}_${metric}`;
  const data = objectOf(event.data);
  const choices = PREFERENCES.test(metric) ? preferencesIn(data) : [];
  if (choices.length > 0) return choices.map((choice) => preference(choice, vendorType, event, item));
  const known = TYPES.get(vendorType.toLowerCase()) ?? 'other';
  const type = PREFERENCES.test(metric) ? 'other' : known;
  const recipient = addressIn(data);
  const id = text(event.event_id);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: epochTime(event.timestamp),
      recipient: type === 'other' ? recipient : recipientOf(recipient),
      identity: id === null ? ['item', item.text] : ['id', id],
      esp_event_id: id,
      esp_message_id: text(data.delivery_id),
      sender: bareAddress(data.from) || null,
      subject: text(data.subject),
      campaign: firstText(data.campaign_id, data.broadcast_id, data.newsletter_id),
      variant: text(data.content_id),
      user: userOf(data),
      ...details(type, metric, data, item),
    },
  ];
}

const PREFERENCES = /^(?:cio_)?subscription_preferences_changed$/i;

/** The documentation's sample of changed preferences has no object_type. */
function objectTypeOf(event: JsonObject, metric: string): string {
  const type = text(event.object_type);
  return type ?? (PREFERENCES.test(metric) ? 'customer' : required(type, 'object_type'));
}

/** `content` is JSON: `{"topics":{"topic_7":false},"channels":{"email":true}}`. A channel is all mail. */
function preferencesIn(data: JsonObject): readonly (readonly [scope: string, joined: boolean])[] {
  const { topics, channels } = objectOf(
    typeof data.content === 'string' ? parsedOrNothing(data.content) : data.content,
  );
  const all: readonly [string, unknown][] = [
    ['all', objectOf(channels).email],
    ...Object.entries(objectOf(topics)),
  ];
  return all.filter((entry): entry is [string, boolean] => typeof entry[1] === 'boolean');
}

function parsedOrNothing(json: string): unknown {
  try {
    return parseJson(json);
  } catch {
    return undefined;
  }
}

function preference(
  [scope, joined]: readonly [string, boolean],
  vendorType: string,
  event: JsonObject,
  item: Item,
): EspEvent {
  const id = text(event.event_id);
  return {
    type: joined ? 'subscribed' : 'unsubscribed',
    esp_event_type: vendorType,
    occurred_at: epochTime(event.timestamp),
    recipient: recipientOf(addressIn(objectOf(event.data))),
    identity: [...(id === null ? ['item', item.text] : ['id', id]), scope],
    formerly: [{ type: 'other', identity: id === null ? ['item', item.text] : ['id', id] }],
    esp_event_id: id,
    esp_message_id: text(objectOf(event.data).delivery_id),
    scope,
    stream: scope === 'all' ? null : scope,
    user: userOf(objectOf(event.data)),
    method: 'preferences',
  };
}

/** The person's id in the sender's own system; empty for a person who is known by the address alone. */
function userOf(data: JsonObject): string | null {
  return firstText(data.customer_id, objectOf(data.identifiers).id);
}

/** A push message's recipient is a device, that of an SMS a number. */
function addressIn(data: JsonObject): string {
  const candidates = [data.recipient, objectOf(data.identifiers).email, data.email_address];
  return candidates.map(bareAddress).find((address) => address.includes('@')) ?? '';
}

function details(type: EventType, metric: string, data: JsonObject, item: Item): Partial<EspEvent> {
  const reason = firstText(data.failure_message, data.reason);
  switch (type) {
    case 'deferred': {
      const smtp = smtpFacts(reason);
      return { smtp_code: smtp.code, enhanced_status: smtp.enhanced, diagnostic: reason };
    }
    case 'bounced': {
      const smtp = smtpFacts(reason);
      return {
        ...bounceVerdict(smtp, reason),
        smtp_code: smtp.code,
        enhanced_status: smtp.enhanced,
        diagnostic: reason,
      };
    }
    case 'dropped':
      return { drop_reason: dropReason(reason), diagnostic: reason };
    case 'opened':
      return { is_machine: isMachine(metric, data) };
    case 'clicked':
      return { url: text(data.href), is_machine: isMachine(metric, data) };
    case 'unsubscribed':
    case 'subscribed':
      return { scope: 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function isMachine(metric: string, data: JsonObject): boolean | null {
  return metric.toLowerCase().startsWith('human_') ? false : flag(data.machine);
}
