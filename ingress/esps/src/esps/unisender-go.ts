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
import { type BounceCategory, smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  firstText,
  itemObject,
  metadataOf,
  recipientOf,
  required,
  text,
} from '../reading/fields.ts';
import { isObject, JsonItem, type JsonObject, objectOf, parseBody } from '../reading/json.ts';
import { firstTime } from '../reading/time.ts';
import { judgeKeyInBody } from '../schemes/key-in-body.ts';
import { checkSettings } from '../schemes/settings.ts';

// Seen 2026-11: https://godocs.unisender.ru/web-api-ref#callback-format (its twin UniOne has it in English:
// https://docs.unione.io/en/web-api-ref#callback-format)

const EVENT_TYPES = {
  accepted: 'queued',
  sent: 'queued',
  delivered: 'delivered',
  opened: 'opened',
  clicked: 'clicked',
  unsubscribed: 'unsubscribed',
  subscribed: 'subscribed',
  soft_bounced: 'bounced',
  hard_bounced: 'bounced',
  spam: 'complained',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));
/** The event of a message; others tell of blocked senders. */
const STATUS_EVENT = 'transactional_email_status';

/** By delivery_status; the status itself says whether it is final. */
const CATEGORIES: ReadonlyMap<string, BounceCategory> = new Map([
  ['err_user_unknown', 'invalid_mailbox'],
  ['err_user_inactive', 'invalid_mailbox'],
  ['err_mailbox_discarded', 'invalid_mailbox'],
  ['err_unreachable', 'invalid_mailbox'],
  ['err_dest_invalid', 'invalid_mailbox'],
  ['err_mailbox_full', 'mailbox_full'],
  ['skip_dup_mailbox_full', 'mailbox_full'],
  ['err_domain_inactive', 'domain_not_found'],
  ['err_no_dns', 'domain_not_found'],
  ['err_no_smtp', 'domain_not_found'],
  ['err_spam_rejected', 'spam'],
  ['err_spam_skipped', 'spam'],
  ['err_spam_removed', 'spam'],
  ['err_spam_folder', 'spam'],
  ['err_src_invalid', 'policy'],
  ['err_blacklisted', 'policy'],
  ['err_too_large', 'too_large'],
  ['err_giveup', 'timeout'],
]);

/** Failed for "other reasons", at Unisender Go itself, by the other server's set-up, or not tried: not the address. */
const NO_CAUSE: ReadonlySet<string> = new Set([
  'err_delivery_failed',
  'err_destination_misconfigured',
  'err_internal',
  'err_lost',
  'err_skip_letter',
]);

const credentials = { secret: 'API key of the account or the project', options: [] } as const;

export const unisenderGo = {
  name: 'unisender-go',
  title: 'Unisender Go',
  documentation: [
    'https://godocs.unisender.ru/web-api-ref#callback-format',
    'https://docs.unione.io/en/web-api-ref#callback-format',
  ],
  http: {
    ...JSON_BY_POST,
    // The URL is tried by GET when it is configured.
    probes: ['GET'],
    // event_format json_post_gzip.
    contentEncodings: ['gzip'],
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      'hard_bounced (err_unsubscribed)': 'dropped',
      transactional_spam_block: 'other',
    },
    proof: 'MD5 in the body, over the body with the key in its place',
    retries:
      'every 10 min for 24 h, unless the answer is 200 within 3 s; 10 events and no success in 24 h stop the webhook',
    identity:
      'status, job_id, recipient, event_time, link and client: there is no event id (the header ID is new in each attempt)',
    fills: { metadata: '`metadata`' },
    limitations: [
      'The digest is a plain MD5 with the API key inside the body, and covers no time.',
      'Tells neither tags nor machine opens nor the list of an unsubscribe; times are whole seconds.',
      'A soft bounce is tried again for a day or two by the ESP itself.',
    ],
    ignored: [...statusPaths('event_data.'), ...statusPaths('')],
  },
} as const satisfies EspAdapter;

function statusPaths(prefix: string): string[] {
  return ['comment', 'user_id', 'project_id', 'project_name', 'url', 'delivery_info.*'].map(
    (name) => prefix + name,
  );
}

function verifier(settings: VerifierSettings): Verifier {
  checkSettings('unisender-go', credentials, settings);
  const keys = settings.secrets.map((secret) => Buffer.from(secret.trim()));
  return { verify: ({ body }) => judgeKeyInBody(body, 'auth', keys) };
}

/** Grouped by user, or (single event) one event with all of it at the top. */
function split({ body }: EspRequest): readonly Item[] {
  const parsed = parseBody(body);
  if (!isObject(parsed)) throw unreadable('the body is not an object');
  if (parsed.events_by_user === undefined) {
    // These two are of the request; the second grows with each attempt.
    const { auth: _, retry_count: __, ...event } = parsed;
    return [new JsonItem(0, event)];
  }
  if (!Array.isArray(parsed.events_by_user)) throw unreadable('events_by_user is not a list');
  return parsed.events_by_user.flatMap(eventsOf).map((event, index) => new JsonItem(index, event));
}

function eventsOf(user: unknown): unknown[] {
  const { events } = objectOf(user);
  if (!Array.isArray(events)) throw unreadable('events is not a list');
  return events;
}

function unreadable(message: string): Refusal {
  return new Refusal('NORMALIZE_BODY_UNREADABLE', message);
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const name = required(event.event_name, 'event_name');
  const data = event.event_data === undefined ? event : itemObject(event.event_data);
  const vendorType = name === STATUS_EVENT ? required(data.status, 'status') : name;
  const type = name === STATUS_EVENT ? typeOf(vendorType, data) : 'other';
  const occurredAt = firstTime(data.event_time, data.block_time);
  const job = text(data.job_id);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: occurredAt,
      recipient: type === 'other' ? bareAddress(data.email) : recipientOf(data.email),
      identity:
        job === null || typeof occurredAt !== 'number'
          ? ['item', item.text]
          : identityOf(vendorType, job, occurredAt, data),
      ...(type === 'dropped' && TYPES.get(vendorType) === 'bounced'
        ? { formerly: [{ type: 'bounced' }] }
        : {}),
      esp_message_id: job,
      metadata: metadataOf(data.metadata),
      ...details(type, vendorType, data, item),
    },
  ];
}

function typeOf(vendorType: string, data: JsonObject): EventType {
  const type = TYPES.get(vendorType) ?? 'other';
  return type === 'bounced' && detailOf(data) === OPTED_OUT ? 'dropped' : type;
}
/** "The recipient has unsubscribed": it was not sent, and the address is fine. */
const OPTED_OUT = 'err_unsubscribed';

function detailOf(data: JsonObject): string | null {
  return text(objectOf(data.delivery_info).delivery_status);
}

function identityOf(
  vendorType: string,
  job: string,
  occurredAt: number,
  data: JsonObject,
): EspEvent['identity'] {
  const { user_agent, ip } = client(data);
  return ['event', vendorType, job, occurredAt, text(data.url), user_agent, ip, detailOf(data)];
}

function details(type: EventType, vendorType: string, data: JsonObject, item: Item): Partial<EspEvent> {
  const info = objectOf(data.delivery_info);
  switch (type) {
    case 'delivered':
      return { smtp_response: text(info.destination_response) };
    case 'bounced':
      return bounce(vendorType, data);
    case 'dropped':
      return { drop_reason: 'unsubscribed', diagnostic: OPTED_OUT };
    case 'opened':
      return client(data);
    case 'clicked':
      return { ...client(data), url: text(data.url) };
    case 'unsubscribed':
    case 'subscribed':
      return { ...client(data), scope: 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function bounce(vendorType: string, data: JsonObject): Partial<EspEvent> {
  const info = objectOf(data.delivery_info);
  const answer = text(info.destination_response);
  const smtp = smtpFacts(answer);
  return {
    ...bounceVerdict(smtp, answer, {
      says: vendorType === 'soft_bounced' ? 'soft' : NO_CAUSE.has(detailOf(data) ?? '') ? undefined : 'hard',
      category: CATEGORIES.get(detailOf(data) ?? ''),
    }),
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: firstText(answer, info.delivery_status, data.comment),
  };
}

function client(data: JsonObject) {
  const info = objectOf(data.delivery_info);
  return { user_agent: text(info.user_agent), ip: text(info.ip) };
}
