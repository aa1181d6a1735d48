import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type Verdict,
  type VerifierSettings,
} from '../adapter.ts';
import { PUBLISHED_ADDRESSES } from '../published-addresses.ts';
import { bounceVerdict, dropReason, type VendorWord } from '../reading/bounce.ts';
import { type BounceCategory, smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  itemObject,
  metadataOf,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { decodeText, isObject, JsonItem, type JsonObject, parseJson } from '../reading/json.ts';
import { epochTime } from '../reading/time.ts';
import { checkSettings } from '../schemes/settings.ts';
import { judgeHexHmac } from '../schemes/signatures.ts';

// Seen 2026-11: https://docs.mailtrap.io/email-api-smtp/webhooks and bounce-categorization beside it.

const SIGNATURE = 'mailtrap-signature';

const EVENT_TYPES = {
  delivery: 'delivered',
  'soft bounce': 'bounced',
  bounce: 'bounced',
  open: 'opened',
  click: 'clicked',
  unsubscribe: 'unsubscribed',
  spam: 'complained',
  // A limit of the account: Mailtrap sends it when the limit is lifted.
  suspension: 'deferred',
  reject: 'dropped',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

/** Categories that name a cause (lower case); of the others the answer tells more. */
const CATEGORIES: ReadonlyMap<string, BounceCategory> = new Map([
  ['badrecipient', 'invalid_mailbox'],
  ['overquota', 'mailbox_full'],
  ['dnsfail', 'domain_not_found'],
  ['timeout', 'timeout'],
  ['relayfail', 'relay'],
  ['content', 'content'],
  ['spam', 'spam'],
  ['spam_gmail', 'spam'],
  ['badsender', 'policy'],
  ['block', 'policy'],
  ['greylisting', 'policy'],
  ['serverpolicy', 'policy'],
  ['verifyfail', 'policy'],
]);

/**
 * Mailtrap puts an address on its suppression list after `badrecipient`, `overquota` and `timeout`, and after no other
 * category (bounce-categorization, "Suppressed"). These say why: the message, the sender or a rule.
 */
const SUPPRESSED: ReadonlySet<string> = new Set(['badrecipient', 'overquota', 'timeout']);
const REFUSED_MESSAGE: ReadonlySet<string> = new Set(
  'badsender block content greylisting relayfail serverpolicy spam spam_gmail verifyfail'.split(' '),
);

const credentials = { secret: 'signature key of the webhook', options: [] } as const;

export const mailtrap = {
  name: 'mailtrap',
  title: 'Mailtrap',
  documentation: [
    'https://docs.mailtrap.io/email-api-smtp/webhooks',
    'https://docs.mailtrap.io/email-api-smtp/bounce-categorization',
  ],
  http: {
    ...JSON_BY_POST,
    // The media type of JSON Lines is not documented, and several are about.
    contentTypes: [],
    maxBodyBytes: 2_097_152,
    maxEvents: 500,
    addresses: PUBLISHED_ADDRESSES.mailtrap,
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: EVENT_TYPES,
    proof: 'HMAC-SHA256 over the body',
    retries: '40 times, 5 min apart, unless the answer is 200 within 30 s; then the webhook is paused',
    identity: 'event_id; without one, the item',
    fills: { stream: '`sending_stream`', metadata: '`custom_variables`', tags: '`category`' },
    limitations: [
      'No time is signed: a replay is caught by deduplication only.',
      'Names neither sender nor subject; machine opens are not told.',
      'A batch has up to 500 events; one that is larger than the source’s maxBodyBytes (2 MiB unless configured) is refused.',
      'A new key ends the old one at once: configure the new one beside it first.',
    ],
    ignored: ['sending_domain_name'],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('mailtrap', credentials, settings);
  return {
    // The key looks like hex, but its text is the key.
    verify: ({ headers, body }: EspRequest): Verdict =>
      judgeHexHmac(settings.secrets, [body], headers[SIGNATURE]),
  };
}

/** An object with `events`, or JSON Lines, as the webhook is set; which one, the body shows. */
function split({ body }: EspRequest): readonly Item[] {
  const whole = decodeText(body);
  const parsed = parsedOrNothing(whole);
  if (Array.isArray(parsed)) return parsed.map((value, index) => new JsonItem(index, value));
  if (isObject(parsed)) {
    if (parsed.events === undefined) return [new JsonItem(0, parsed)];
    if (!Array.isArray(parsed.events)) throw unreadable('events is not a list');
    return parsed.events.map((value, index) => new JsonItem(index, value));
  }
  const items = whole
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => new LineItem(index, line));
  // One broken line is refused alone, but a body with no event at all is something else.
  // Of very many, each says so itself.
  if (items.length <= MANY_LINES && !items.some(({ value }) => isObject(value)))
    throw unreadable('the body is neither JSON nor JSON Lines');
  return items;
}

const MANY_LINES = 10_000;

/** A line that is parsed only when it is asked for. */
class LineItem implements Item {
  readonly index: number;
  readonly text: string;
  private parsed: { readonly value: unknown } | undefined;
  constructor(index: number, text: string) {
    this.index = index;
    this.text = text;
  }
  get value(): unknown {
    this.parsed ??= { value: parsedOrNothing(this.text) };
    return this.parsed.value;
  }
}

function parsedOrNothing(json: string): unknown {
  try {
    return parseJson(json);
  } catch {
    return undefined;
  }
}

function unreadable(message: string): Refusal {
  return new Refusal('NORMALIZE_BODY_UNREADABLE', message);
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.event, 'event');
  const name = vendorType.toLowerCase();
  const type = TYPES.get(name) ?? 'other';
  const id = text(event.event_id);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: epochTime(event.timestamp),
      recipient: type === 'other' ? bareAddress(event.email) : recipientOf(event.email),
      identity: id === null ? ['item', item.text] : ['id', id],
      esp_event_id: id,
      esp_message_id: text(event.message_id),
      stream: text(event.sending_stream),
      tags: tagsOf(event.category),
      metadata: metadataOf(event.custom_variables),
      ...details(type, name, event, item),
    },
  ];
}

function details(type: EventType, name: string, event: JsonObject, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'delivered':
      return { smtp_response: text(event.response) };
    case 'deferred':
      return { diagnostic: text(event.reason) };
    case 'bounced':
      return failure(name, event);
    case 'dropped': {
      const reason = text(event.reason);
      return { drop_reason: dropReason(reason), diagnostic: reason };
    }
    case 'opened':
      return client(event);
    case 'clicked':
      return { ...client(event), url: text(event.url) };
    case 'unsubscribed':
      return { ...client(event), scope: 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function failure(name: string, event: JsonObject): Partial<EspEvent> {
  const response = text(event.response);
  const category = text(event.bounce_category);
  const smtp = smtpFacts(response, event.response_code);
  return {
    ...bounceVerdict(smtp, response, {
      says: saysOf(name, category?.toLowerCase()),
      category: CATEGORIES.get(category?.toLowerCase() ?? ''),
    }),
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: response ?? category,
  };
}

/** "bounce" alone means that it will not try again. */
function saysOf(name: string, category: string | undefined): VendorWord['says'] {
  if (name === 'soft bounce') return 'soft';
  if (category === undefined || SUPPRESSED.has(category)) return 'hard';
  return REFUSED_MESSAGE.has(category) ? 'message' : 'soft';
}

function client(event: JsonObject): Pick<EspEvent, 'user_agent' | 'ip'> {
  return { user_agent: text(event.user_agent), ip: text(event.ip) };
}
