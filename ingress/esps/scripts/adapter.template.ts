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
} from '../src/adapter.ts';
import { bounceVerdict } from '../src/reading/bounce.ts';
import { smtpFacts } from '../src/reading/bounce-table.ts';
import {
  bareAddress,
  itemObject,
  metadataOf,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../src/reading/fields.ts';
import { isObject, JsonItem, type JsonObject, parseBody } from '../src/reading/json.ts';
import { epochTime } from '../src/reading/time.ts';
import { checkSettings } from '../src/schemes/settings.ts';
import { judgeHexHmac } from '../src/schemes/signatures.ts';

// Seen (year and month): the pages that the facts below are from.

const SIGNATURE = 'x-example-esp-signature';

const EVENT_TYPES = {
  delivered: 'delivered',
  soft_bounce: 'bounced',
  hard_bounce: 'bounced',
  open: 'opened',
  click: 'clicked',
  unsubscribe: 'unsubscribed',
  complaint: 'complained',
} as const satisfies { [vendor: string]: EventType };
// A Map, so that an event named "constructor" is as unknown as any other.
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

const credentials = { secret: 'signing key of the webhook', options: [] } as const;

export const exampleEsp = {
  name: 'example-esp',
  title: 'Example Esp',
  documentation: ['https://example-esp.example/docs/webhooks'],
  http: JSON_BY_POST,
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: EVENT_TYPES,
    proof: 'HMAC-SHA256 over the body',
    retries: 'not documented',
    identity: 'id; without one, the item',
    fills: { metadata: 'metadata', tags: 'tags' },
    limitations: ['No time is signed: a replay is caught by deduplication only.'],
    ignored: [],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('example-esp', credentials, settings);
  return {
    verify: ({ headers, body }: EspRequest): Verdict =>
      judgeHexHmac(settings.secrets, [body], headers[SIGNATURE]),
  };
}

/** One event, or a list of them. */
function split({ body }: EspRequest): readonly Item[] {
  const parsed = parseBody(body);
  if (Array.isArray(parsed)) return parsed.map((value, index) => new JsonItem(index, value));
  if (isObject(parsed)) return [new JsonItem(0, parsed)];
  throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is neither an object nor a list');
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.event, 'event');
  const type = TYPES.get(vendorType) ?? 'other';
  const id = text(event.id);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: epochTime(event.timestamp),
      recipient: type === 'other' ? bareAddress(event.email) : recipientOf(event.email),
      // A missing id is not an id: the whole item is, then.
      identity: id === null ? ['item', item.text] : ['id', id],
      esp_event_id: id,
      esp_message_id: text(event.message_id),
      tags: tagsOf(event.tags),
      metadata: metadataOf(event.metadata),
      ...details(type, vendorType, event, item),
    },
  ];
}

function details(type: EventType, vendorType: string, event: JsonObject, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'delivered':
      return { smtp_response: text(event.response) };
    case 'bounced':
      return failure(event, vendorType === 'hard_bounce' ? 'hard' : 'soft');
    case 'opened':
      return client(event);
    case 'clicked':
      return { ...client(event), url: text(event.url) };
    case 'unsubscribed':
      return { scope: 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

/** The answer of the other server says what it means; the ESP's word counts where it does not. */
function failure(event: JsonObject, says: 'hard' | 'soft'): Partial<EspEvent> {
  const response = text(event.response);
  const smtp = smtpFacts(response);
  return {
    ...bounceVerdict(smtp, response, { says }),
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: response,
  };
}

function client(event: JsonObject): Pick<EspEvent, 'user_agent' | 'ip'> {
  return { user_agent: text(event.user_agent), ip: text(event.ip) };
}
