import type { EmailDropped, EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type VerifierSettings,
} from '../../adapter.ts';
import { bounceVerdict, type VendorWord } from '../../reading/bounce.ts';
import { smtpFacts } from '../../reading/bounce-table.ts';
import {
  addressList,
  bareAddress,
  each,
  firstText,
  headerPairs,
  integer,
  itemObject,
  messageId,
  metadataOf,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../../reading/fields.ts';
import { bodyKind, parseForm } from '../../reading/form.ts';
import {
  isObject,
  JsonItem,
  type JsonObject,
  listOf,
  objectOf,
  parseBody,
  stringifyJson,
} from '../../reading/json.ts';
import { epochTime, type ToldTime } from '../../reading/time.ts';
import { judgeMailgun } from '../../schemes/mailgun-signature.ts';
import { checkSettings, TOLERANCE_OPTION, windowOf } from '../../schemes/settings.ts';
import { LEGACY_EVENT_TYPES, legacyEvent } from './legacy.ts';

// Seen 2026-11: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks

const EVENT_TYPES = {
  accepted: 'queued',
  delivered: 'delivered',
  failed: 'bounced',
  rejected: 'dropped',
  opened: 'opened',
  clicked: 'clicked',
  unsubscribed: 'unsubscribed',
  complained: 'complained',
  stored: 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(
  Object.entries({ ...EVENT_TYPES, ...LEGACY_EVENT_TYPES }),
);

// Retries run for 8 h and it is not documented whether they are signed anew.
const WINDOW_SECONDS = 25 * 3600;

const credentials = { secret: 'HTTP webhook signing key', options: [TOLERANCE_OPTION] } as const;

export const mailgun = {
  name: 'mailgun',
  title: 'Mailgun',
  documentation: [
    'https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks',
    'https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks',
  ],
  http: {
    ...JSON_BY_POST,
    contentTypes: ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'],
  },
  credentials,
  verifier,
  split,
  normalize,
  headers: (item: Item) =>
    headerPairs(objectOf(objectOf(objectOf(item.value)['event-data']).message).headers),
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      'failed (temporary)': 'deferred',
      'failed (suppressed)': 'dropped',
      ...LEGACY_EVENT_TYPES,
    },
    proof: 'HMAC-SHA256 in the body, over timestamp and token',
    retries: 'for 8 h after 5, 10 and 15 min, 1, 2 and 4 h, unless the answer is 200 or 406',
    identity: 'event-data.id with the UTC day (it is unique within a day only); without one, signature.token',
    fills: {
      campaign: '`campaigns`',
      stream: '`mailing-list`',
      metadata: '`user-variables`',
      tags: '`tags`',
      headers: '`message-id`, `from`, `to`, `subject`',
    },
    limitations: [
      'The signature covers timestamp and token, not the event: a token that comes back with another body is refused.',
      'The forms sent before 2018 have no event id and carry custom variables between Mailgun’s own fields.',
    ],
    ignored: [
      'signature.timestamp',
      'signature.signature',
      'signature.token',
      'parent-signature.*',
      'event-data.log-level',
      'event-data.method',
      'event-data.storage.*',
      'event-data.geolocation.*',
      'event-data.recipient-domain',
      'event-data.recipient-provider',
      'event-data.account.id',
      'event-data.domain.name',
      'event-data.api-key-id',
      'event-data.primary-dkim',
      'event-data.envelope.*',
      'event-data.flags.*',
      'event-data.message.size',
      'event-data.message.attachments',
      'event-data.message.attachments[].*',
      'event-data.message.recipients[]',
      'event-data.message.headers.to',
      'event-data.client-info.client-name',
      'event-data.client-info.client-os',
      'event-data.client-info.client-type',
      'event-data.client-info.device-type',
      'event-data.delivery-status.*',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('mailgun', credentials, settings);
  const window = windowOf(settings, WINDOW_SECONDS);
  return { verify: (request: EspRequest) => judgeMailgun(request, settings.secrets, window) };
}

function split(request: EspRequest): readonly Item[] {
  if (bodyKind(request) !== 'json') return [new JsonItem(0, legacyEvent(parseForm(request)))];
  const body = parseBody(request.body);
  if (!isObject(body)) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is not an object');
  return [new JsonItem(0, body)];
}

/** Reads both generations: legacyEvent gave the forms the shape of the JSON. */
function normalize(item: Item): Iterable<EspEvent> {
  const body = itemObject(item.value);
  const event = itemObject(body['event-data']);
  const vendorType = required(event.event, 'event');
  const status = statusOf(event);
  const type = typeOf(event, status);
  const message = objectOf(event.message);
  const headers = objectOf(message.headers);
  const id = messageId(headers['message-id']);
  const occurredAt = epochTime(event.timestamp);
  const shared = {
    type,
    esp_event_type: vendorType,
    occurred_at: occurredAt,
    identity: identityOf(event, body, occurredAt, item),
    esp_event_id: text(event.id),
    // The send API returns the Message-ID.
    esp_message_id: id,
    message_id: id,
    sender: bareAddress(firstText(headers.from, objectOf(event.envelope).sender)) || null,
    subject: text(headers.subject),
    campaign: campaignOf(event),
    stream: streamOf(event),
    tags: tagsOf(event.tags),
    metadata: metadataOf(event['user-variables']),
    ...details(type, event, status, item),
  };
  return each(recipientsOf(type, event, headers), (recipient) => ({ ...shared, recipient }));
}

function details(type: EventType, event: JsonObject, status: Status, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'delivered':
      return { smtp_response: status.diagnostic, remote_mta: text(status.detail['mx-host']) };
    case 'deferred':
      return { attempt: integer(status.detail['attempt-no']), ...failure(status) };
    case 'bounced':
      return { ...bounce(status), ...failure(status), remote_mta: text(status.detail['mx-host']) };
    case 'dropped':
      return {
        drop_reason: dropReason(status),
        diagnostic: status.diagnostic ?? status.reason,
      };
    case 'opened':
      return { ...client(event), is_machine: isMachine(event) };
    case 'clicked':
      return { ...client(event), url: text(event.url), is_machine: isMachine(event) };
    case 'unsubscribed':
      return { ...client(event), scope: streamOf(event) ?? 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function client(event: JsonObject): Partial<EspEvent> {
  return { user_agent: text(objectOf(event['client-info'])['user-agent']), ip: text(event.ip) };
}

/** `bot` names the machine; it is empty where Mailgun saw none. */
function isMachine(event: JsonObject): boolean | null {
  const { bot } = objectOf(event['client-info']);
  return typeof bot === 'string' ? bot !== '' : null;
}

function campaignOf(event: JsonObject): string | null {
  const campaign = objectOf(listOf(event.campaigns)[0]);
  return firstText(campaign.name, campaign.id);
}

function streamOf(event: JsonObject): string | null {
  const list = objectOf(event['mailing-list']);
  return firstText(list.address, list['list-id']);
}

const SUPPRESSING: ReadonlySet<EventType> = new Set(['bounced', 'complained', 'unsubscribed']);

function recipientsOf(type: EventType, event: JsonObject, headers: JsonObject): string[] {
  const recipient = bareAddress(event.recipient);
  if (recipient !== '') return [recipient];
  // A rejected message never got as far as having one recipient a copy.
  const addressed = addressList(headers.to);
  // Whom of several a bounce or a complaint is about would be a guess.
  if (addressed.length === 1 || (addressed.length > 1 && !SUPPRESSING.has(type))) return addressed;
  return type === 'other' ? [''] : [recipientOf(null)];
}

function identityOf(
  event: JsonObject,
  body: JsonObject,
  occurredAt: ToldTime,
  item: Item,
): EspEvent['identity'] {
  const id = text(event.id);
  // Without the day, all of the event stands for it: what is signed anew with each attempt is outside of that.
  if (id !== null)
    return ['id', id, typeof occurredAt === 'number' ? utcDay(occurredAt) : stringifyJson(event)];
  const token = text(objectOf(body.signature).token);
  return token === null ? ['item', item.text] : ['token', token];
}

function utcDay(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

// The fate of a message: Mailgun tells it with a type, a severity, a reason and a code, which is Mailgun's or SMTP's.
// Seen 2026-11: https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure

/** Never attempted, because of what Mailgun remembers of the address. */
const SUPPRESSED: ReadonlyMap<string, EmailDropped['drop_reason']> = new Map([
  ['suppress-bounce', 'bounced'],
  ['suppress-complaint', 'complained'],
  ['suppress-unsubscribe', 'unsubscribed'],
  ['605', 'bounced'],
  ['606', 'unsubscribed'],
  ['607', 'complained'],
  ['625', 'complained'],
]);

/** The result of the attempt. Code and text come in several spellings. */
interface Status {
  readonly reason: string | null;
  readonly diagnostic: string | null;
  /** It calls the failure a bounce, not just permanent. */
  readonly bounced: boolean;
  readonly detail: JsonObject;
}

function statusOf(event: JsonObject): Status {
  const detail = objectOf(event['delivery-status']);
  return {
    reason: text(event.reason),
    diagnostic: firstText(detail.message, detail.description, objectOf(event.reject).reason),
    bounced: text(event.reason) === 'bounce' || text(event.event) === 'bounced',
    detail,
  };
}

function typeOf(event: JsonObject, status: Status): EventType {
  const vendorType = text(event.event)?.toLowerCase() ?? '';
  // The forms say "dropped" also of what Mailgun tried for hours; the JSON, and we, call that a failure.
  if (vendorType === 'dropped' && status.reason === 'old') return 'bounced';
  if (vendorType !== 'failed') return TYPES.get(vendorType) ?? 'other';
  if (text(event.severity)?.toLowerCase() === 'temporary') return 'deferred';
  return suppressionOf(status) ? 'dropped' : 'bounced';
}

function suppressionOf({ reason, detail }: Status): EmailDropped['drop_reason'] | undefined {
  return SUPPRESSED.get(reason ?? '') ?? SUPPRESSED.get(text(detail.code) ?? '');
}

function failure({ detail, diagnostic, reason }: Status): Partial<EspEvent> {
  const smtp = smtpFacts(diagnostic, ownCode(detail) ? null : detail.code, detail['enhanced-code']);
  return {
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: diagnostic ?? reason,
  };
}

function bounce(status: Status): Pick<EspEvent, 'bounce_class' | 'bounce_category'> {
  const { detail, diagnostic } = status;
  const smtp = smtpFacts(diagnostic, ownCode(detail) ? null : detail.code, detail['enhanced-code']);
  const verdict = bounceVerdict(smtp, diagnostic, wordOf(status));
  // That attempts are used up makes nothing final: the last answer was one to come again.
  return gaveUp(status) && verdict.bounce_class === 'hard'
    ? { ...verdict, bounce_class: 'undetermined' }
    : verdict;
}

/** "Permanent" says that Mailgun has stopped trying, for any cause; only "bounce" is about the address. */
function wordOf(status: Status): VendorWord {
  const { detail, reason, bounced } = status;
  if (gaveUp(status)) return { says: 'nothing', category: 'timeout' };
  // The receiver's filter refused this message.
  if (reason === 'espblock') return { says: 'message', category: 'policy' };
  if (text(detail['bounce-type'])?.toLowerCase() === 'soft') return { says: 'soft' };
  return { says: bounced ? 'hard' : undefined };
}

function gaveUp({ detail, reason }: Status): boolean {
  return reason === 'old' || ownCode(detail);
}

/** 498 and 499 are Mailgun's own: it gave up after too many attempts. */
function ownCode(detail: JsonObject): boolean {
  const code = integer(detail.code);
  return code === 498 || code === 499;
}

function dropReason(status: Status): EmailDropped['drop_reason'] {
  const { diagnostic, reason } = status;
  const suppression = suppressionOf(status);
  if (suppression) return suppression;
  const words = `${reason ?? ''} ${diagnostic ?? ''}`;
  if (/spam/i.test(words)) return 'spam';
  return /content|virus|attachment/i.test(words) ? 'content' : 'other';
}
