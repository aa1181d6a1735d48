import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type Verifier,
  type VerifierSettings,
} from '../adapter.ts';
import { bounceVerdict } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import { bareAddress, each, firstText, itemObject, tagsOf, text } from '../reading/fields.ts';
import { bodyKind, parseForm } from '../reading/form.ts';
import {
  isObject,
  JsonItem,
  type JsonObject,
  listOf,
  objectOf,
  parseBody,
  parseJson,
  stringifyJson,
} from '../reading/json.ts';
import { anyTime } from '../reading/time.ts';
import { CREDENTIAL_OPTIONS, credentialVerifier } from '../schemes/credentials.ts';

// Seen 2026-11: https://www.zoho.com/zeptomail/help/webhooks.html and the sample of
// https://www.zoho.com/zeptomail/webhooks-instant-notification.html
// It also has a header "producer-signature", but published implementations contradict each other in what it signs, and
// no test vector is published: a guess would accept forgeries or refuse what is genuine. Webhooks can be given an
// authorization header of one's own, and that is the proof here.

const EVENT_TYPES = {
  delivered: 'delivered',
  softbounce: 'bounced',
  hardbounce: 'bounced',
  email_open: 'opened',
  email_link_click: 'clicked',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

const credentials = {
  secret: 'value of the authorization header of the webhook, or user:password',
  options: CREDENTIAL_OPTIONS,
} as const;

export const zeptomail = {
  name: 'zeptomail',
  title: 'Zoho ZeptoMail',
  documentation: ['https://www.zoho.com/zeptomail/help/webhooks.html'],
  http: {
    ...JSON_BY_POST,
    contentTypes: ['application/json', 'application/x-www-form-urlencoded'],
    mayDiscardRefused: true,
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: EVENT_TYPES,
    proof: 'an authorization header (or another one, or a token in the URL)',
    retries: 'not documented; 200 is success',
    identity: 'event, message, recipient, time, link and client; without message or time, the item',
    fills: { metadata: '`client_reference`, under that name', tags: '`tag`' },
    limitations: [
      'Its own signature is not verified: published descriptions contradict each other. Give the webhook an authorization header.',
      'Only the first opening of a message is reported.',
      'Does not say who of several recipients opened or clicked: each is given the event.',
      'No sending, complaint or unsubscription is reported.',
    ],
    ignored: [
      'event_name[]',
      'mailagent_key',
      'event_message.email_info.object',
      'event_message.email_info.bounce_address',
      'event_message.email_info.is_smtp_trigger',
      'event_message.email_info.email_reference',
      'event_message.email_info.from.name',
      'event_message.email_info.to[].email_address.*',
      'event_message.email_info.cc[].*',
      'event_message.email_info.bcc[].*',
      'event_message.email_info.reply_to[].*',
      'event_message.email_info.processed_time',
      'event_message.event_data[].details[].*',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings): Verifier {
  const { secrets, options } = settings;
  if (options.header !== undefined || options.tokenParameter !== undefined) {
    return credentialVerifier('zeptomail', credentials, settings);
  }
  const byValue = credentialVerifier('zeptomail', credentials, {
    secrets,
    options: { ...options, header: 'authorization' },
  });
  const pairs = secrets.filter((secret) => USER_AND_PASSWORD.test(secret));
  if (pairs.length === 0) return byValue;
  const basic = credentialVerifier('zeptomail', credentials, { secrets: pairs, options });
  return {
    verify(request) {
      const verdict = byValue.verify(request);
      return verdict.outcome === 'verified' ? verdict : basic.verify(request);
    },
  };
}

// An operator who enters these into ZeptoMail has them sent as Basic authentication.
const USER_AND_PASSWORD = /^[^\s:]+:./;

/** An item for each message, with what it shares with the others. */
function split(request: EspRequest): readonly Item[] {
  const body = bodyKind(request) === 'json' ? parseBody(request.body) : jsonInForm(request);
  if (!isObject(body)) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is not an object');
  const messages = isObject(body.event_message) ? [body.event_message] : listOf(body.event_message);
  if (messages.length > 1) requireLittle(body);
  return messages.map((message, index) => new JsonItem(index, { ...body, event_message: message }));
}

/** Beside its messages a request has three short fields. All that the messages share is read, and perhaps kept, with each of them. */
const MAX_SHARED_LENGTH = 4_000;

function requireLittle({ event_message: _, ...shared }: JsonObject): void {
  if (stringifyJson(shared).length > MAX_SHARED_LENGTH)
    throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the messages share more than ZeptoMail says of them');
}

/** Some webhooks send the JSON as a value of a form, or as its only name. */
function jsonInForm(request: EspRequest): unknown {
  for (const candidate of parseForm(request).flatMap(([name, value]) => [value, name])) {
    if (!candidate.startsWith('{')) continue;
    try {
      return parseJson(candidate);
    } catch {
      // The next field, then.
    }
  }
  throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the form has no JSON in it');
}

/** Data, details and recipients multiply. */
function* normalize(item: Item): Generator<EspEvent, void, undefined> {
  const body = itemObject(item.value);
  const message = itemObject(body.event_message);
  // Once for all that happened to the message: both lists may be long.
  const addressed = addresseesOf(objectOf(message.email_info));
  // A test of the webhook has no data.
  for (const event of objectsOf(message.event_data)) {
    const vendorType = firstText(event.object, listOf(body.event_name)[0], body.event_name);
    if (vendorType === null) throw new Refusal('NORMALIZE_ITEM_INVALID', 'event_name is missing');
    for (const detail of objectsOf(event.details))
      yield* eventsOf(vendorType, detail, message, item, body, addressed);
  }
}

/** At least one, which may be empty. */
function objectsOf(value: unknown): readonly JsonObject[] {
  const list = listOf(value).map(objectOf);
  return list.length > 0 ? list : [objectOf(undefined)];
}

function eventsOf(
  vendorType: string,
  detail: JsonObject,
  message: JsonObject,
  item: Item,
  body: JsonObject,
  addressed: readonly string[],
): Iterable<EspEvent> {
  const type = TYPES.get(vendorType.toLowerCase()) ?? 'other';
  const email = objectOf(message.email_info);
  const id = firstText(message.request_id, email.email_reference);
  const url = firstText(detail.clicked_link, detail.link, detail.url);
  // processed_time is when the message was sent, not when this happened to it.
  const occurredAt = anyTime(detail.time);
  const client = { user_agent: text(detail.user_agent), ip: firstText(detail.ip_address, detail.ip) };
  const reference = text(email.client_reference);
  const shared = {
    type,
    esp_event_type: vendorType,
    occurred_at: occurredAt,
    // webhook_request_id is that of the request: ZeptoMail does not say that a repetition keeps it.
    identity:
      id === null || typeof occurredAt !== 'number'
        ? ['item', item.text, stringifyJson(detail)]
        : ['event', vendorType, id, occurredAt, url, client.user_agent, client.ip],
    esp_event_id: text(body.webhook_request_id),
    esp_message_id: id,
    sender: bareAddress(objectOf(email.from).address) || null,
    subject: text(email.subject),
    tags: tagsOf(email.tag),
    metadata: reference === null ? {} : { client_reference: reference },
    ...details(type, vendorType, detail, item),
    ...(type === 'opened' || type === 'clicked' ? client : {}),
    ...(type === 'clicked' ? { url } : {}),
  };
  const recipients = recipientsOf(type, detail, addressed);
  // No recipient is suppressed by guess.
  const guessed: Partial<EspEvent> =
    type === 'bounced' && recipients.length > 1 ? { bounce_class: 'undetermined' } : {};
  return each(recipients, (recipient) => ({ ...shared, ...guessed, recipient }));
}

function details(type: EventType, vendorType: string, detail: JsonObject, item: Item): Partial<EspEvent> {
  if (type === 'other') return { payload: item.text };
  const answer = firstText(detail.diagnostic_message, detail.reason);
  if (type === 'delivered') return { smtp_response: answer };
  if (type !== 'bounced') return {};
  const smtp = smtpFacts(answer);
  return {
    ...bounceVerdict(smtp, `${answer ?? ''} ${text(detail.reason) ?? ''}`, {
      says: vendorType.toLowerCase() === 'hardbounce' ? 'hard' : 'soft',
    }),
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: answer,
  };
}

/** The one that bounced, else those in To. */
function recipientsOf(type: EventType, detail: JsonObject, addressed: readonly string[]): readonly string[] {
  const named = bareAddress(firstText(detail.bounced_recipient, detail.recipient));
  if (named !== '') return [named];
  if (addressed.length > 0) return addressed;
  if (type === 'other') return [''];
  throw new Refusal('NORMALIZE_RECIPIENT_MISSING', 'the event names no recipient');
}

function addresseesOf(email: JsonObject): readonly string[] {
  const addresses = listOf(email.to)
    .map((entry) => bareAddress(objectOf(objectOf(entry).email_address).address))
    .filter((address) => address !== '');
  return [...new Set(addresses)];
}
