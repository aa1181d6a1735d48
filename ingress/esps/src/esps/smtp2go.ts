import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
} from '../adapter.ts';
import { bounceVerdict, dropReason } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import {
  addressList,
  bareAddress,
  each,
  firstText,
  headerPairs,
  itemObject,
  messageId,
  metadataValue,
  recipientOf,
  required,
  text,
} from '../reading/fields.ts';
import { bodyKind, parseForm } from '../reading/form.ts';
import { JsonItem, type JsonObject, objectOf, oneObject } from '../reading/json.ts';
import { anyTime } from '../reading/time.ts';
import { CREDENTIAL_OPTIONS, credentialVerifier } from '../schemes/credentials.ts';

// Seen 2026-11: https://developers.smtp2go.com/docs/webhooks-overview and
// https://support.smtp2go.com/hc/en-gb/articles/223087967-Webhooks

const EVENT_TYPES = {
  processed: 'queued',
  delivered: 'delivered',
  bounce: 'bounced',
  reject: 'dropped',
  open: 'opened',
  click: 'clicked',
  spam: 'complained',
  unsubscribe: 'unsubscribed',
  resubscribe: 'subscribed',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

// Headers of the mail are merged into the event where the webhook asks for them: what is none of SMTP2GO's own
// names (in any case: "subject" and "Subject" were seen) is the sender's.
const OWN_NAMES: ReadonlySet<string> = new Set(
  `event time sendtime sender from from_address from_name rcpt recipients auth host message context email_id id
   message-id message_id bounce subject user-agent read-secs client client-device client-os geoip-country srchost url
   click_url link`.split(/\s+/),
);

const credentials = {
  secret: 'user:password of Basic authentication; with option header "Authorization", the bearer token',
  options: CREDENTIAL_OPTIONS,
} as const;

export const smtp2go = {
  name: 'smtp2go',
  title: 'SMTP2GO',
  documentation: [
    'https://developers.smtp2go.com/docs/webhooks-overview',
    'https://support.smtp2go.com/hc/en-gb/articles/223087967-Webhooks',
  ],
  http: {
    ...JSON_BY_POST,
    contentTypes: ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'],
    mayDiscardRefused: true,
  },
  credentials,
  verifier: (settings) => credentialVerifier('smtp2go', credentials, settings),
  split,
  normalize,
  headers: (item: Item) => headerPairs(customHeaders(objectOf(item.value))),
  facts: {
    eventTypes: EVENT_TYPES,
    proof: 'Basic authentication, a bearer token, or a token in the URL',
    retries: 'unless the answer is 2xx; the schedule is not published, failed ones can be retried by hand',
    identity:
      'type, email_id, recipient, time, link and client: id was seen in requests but is not documented, so it is only passed on',
    fills: { metadata: 'custom headers', headers: 'custom headers' },
    limitations: [
      'Signs nothing: Basic authentication, a bearer token or a secret in the URL is the only proof.',
      'A header of the mail with the name of one of SMTP2GO’s own fields cannot be told from it.',
      'Tells neither machine opens nor the reader’s address; events of SMS become "other".',
    ],
    ignored: [
      'auth',
      'bounce',
      'client',
      'client-device',
      'client-os',
      'context',
      'from',
      'from_name',
      'geoip-country',
      'host',
      'message',
      'read-secs',
      'recipients',
      'recipients[]',
      'sender',
      'sendtime',
      'srchost',
    ],
  },
} as const satisfies EspAdapter;

/** One event, as JSON or as a form. */
function split(request: EspRequest): readonly Item[] {
  if (bodyKind(request) === 'json') return oneObject(request);
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of parseForm(request)) {
    const earlier = fields.get(name);
    // Recipients are repeated; which of two times or events holds is not known.
    if (earlier !== undefined && name !== 'recipients') {
      throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'a field is there twice');
    }
    fields.set(name, earlier === undefined ? value : [earlier, value].flat());
  }
  return [new JsonItem(0, Object.fromEntries(fields))];
}

function normalize(item: Item): Iterable<EspEvent> {
  const event = itemObject(item.value);
  const vendorType = required(event.event, 'event');
  const type = isMail(event) ? (TYPES.get(vendorType) ?? 'other') : 'other';
  const occurredAt = anyTime(event.time);
  const message = text(event.email_id);
  const shared = {
    type,
    esp_event_type: vendorType,
    occurred_at: occurredAt,
    identity:
      message === null || typeof occurredAt !== 'number'
        ? ['item', item.text]
        : ['event', vendorType, message, occurredAt, urlOf(event), text(event['user-agent'])],
    esp_event_id: text(event.id),
    esp_message_id: message,
    message_id: messageId(
      firstText(event['message-id'], event['Message-Id'], event['Message-ID'], event.message_id),
    ),
    sender: bareAddress(firstText(event.from_address, event.from, event.sender)) || null,
    subject: firstText(event.subject, event.Subject),
    metadata: customHeaders(event),
    ...details(type, event, item),
  };
  return each(recipientsOf(type, event), (recipient) => ({ ...shared, recipient }));
}

/** SMS are reported by the same webhook, some under the same names. */
function isMail(event: JsonObject): boolean {
  return firstText(event.email_id, event.rcpt) !== null || addressList(event.recipients).length > 0;
}

/** "processed" is told once for all recipients, everything else of one. */
function recipientsOf(type: EventType, event: JsonObject): string[] {
  const one = bareAddress(event.rcpt);
  if (one !== '') return [one];
  const all = addressList(event.recipients);
  if (all.length === 1 || (type === 'queued' && all.length > 0)) return all;
  return [type === 'other' ? '' : recipientOf(null)];
}

function details(type: EventType, event: JsonObject, item: Item): Partial<EspEvent> {
  const answer = text(event.message);
  switch (type) {
    case 'delivered':
      return { smtp_response: answer, remote_mta: text(event.host) };
    case 'bounced':
      return bounce(event);
    case 'dropped':
      return {
        drop_reason: dropReason(firstText(event.message, event.context)),
        diagnostic: firstText(event.message, event.context),
      };
    case 'opened':
      return { user_agent: text(event['user-agent']) };
    case 'clicked':
      return { user_agent: text(event['user-agent']), url: urlOf(event) };
    case 'unsubscribed':
    case 'subscribed':
      return { scope: 'all', user_agent: text(event['user-agent']) };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function bounce(event: JsonObject): Partial<EspEvent> {
  const answer = text(event.message);
  const smtp = smtpFacts(answer);
  const kind = text(event.bounce)?.toLowerCase();
  return {
    ...bounceVerdict(smtp, answer, { says: kind === 'hard' || kind === 'soft' ? kind : undefined }),
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: firstText(event.message, event.context),
    remote_mta: text(event.host),
  };
}

/** The target; `link` may be SMTP2GO's own redirection. */
function urlOf(event: JsonObject): string | null {
  return firstText(event.click_url, event.url, event.link);
}

function customHeaders(event: JsonObject): { [key: string]: string } {
  const metadata: { [key: string]: string } = {};
  for (const name in event) {
    if (!OWN_NAMES.has(name.toLowerCase())) metadata[name] = metadataValue(event[name]);
  }
  return metadata;
}
