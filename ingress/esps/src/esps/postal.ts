import type { KeyObject } from 'node:crypto';
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
import { bounceVerdict, dropReason } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  itemObject,
  messageId,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { isObject, type JsonObject, objectOf, oneObject } from '../reading/json.ts';
import { firstTime } from '../reading/time.ts';
import { checkSettings } from '../schemes/settings.ts';
import { fromBase64, presented, rsaMatches, rsaPublicKeys } from '../schemes/signatures.ts';

// Seen 2026-11: webhook_delivery_service.rb and lib/postal/http.rb of https://github.com/postalserver/postal

const SHA1_SIGNATURE = 'x-postal-signature';
const SHA256_SIGNATURE = 'x-postal-signature-256';

const EVENT_TYPES = {
  MessageSent: 'delivered',
  MessageDelayed: 'deferred',
  // Or dropped: Postal says this also of a message that its own filter has stopped.
  MessageDeliveryFailed: 'bounced',
  // An operator can still release it or let it expire, for any reason that Postal gives: nothing is decided yet.
  MessageHeld: 'queued',
  MessageBounced: 'bounced',
  MessageLinkClicked: 'clicked',
  MessageLoaded: 'opened',
  DomainDNSError: 'other',
  SendLimitApproaching: 'other',
  SendLimitExceeded: 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

const credentials = {
  secret: 'public key of the installation, base64 SPKI (what `postal default-dkim-record` shows as p=)',
  isPublic: true,
  options: [],
} as const;

export const postal = {
  name: 'postal',
  title: 'Postal',
  documentation: [
    'https://docs.postalserver.io/developer/webhooks',
    'https://github.com/postalserver/postal',
  ],
  http: JSON_BY_POST,
  credentials,
  verifier,
  split: oneObject,
  normalize,
  facts: {
    eventTypes: { ...EVENT_TYPES, 'MessageDeliveryFailed (no server was asked)': 'dropped' },
    proof: 'RSA over the body, SHA-256, or SHA-1 of older installations',
    retries: 'after 2, 3, 6, 10 and 15 min, unless the answer is 2xx within 5 s; then it is given up',
    identity: 'uuid; without one, the item',
    fills: { tags: '`tag`' },
    limitations: [
      'One key signs for all servers of an installation: whoever has a server there can send signed events of it.',
      'No time is signed but in the body: a replay is caught by deduplication only.',
      'Reports neither complaints nor unsubscriptions.',
      'The class of a bounce that came as a message is not told.',
      'Why a message is held stays in the raw request.',
    ],
    ignored: [
      'payload.status',
      'payload.details',
      'payload.output',
      'payload.time',
      'payload.sent_with_ssl',
      'payload.token',
      'payload.message.token',
      'payload.message.timestamp',
      'payload.message.spam_status',
      'payload.original_message.token',
      'payload.original_message.timestamp',
      'payload.original_message.spam_status',
      'payload.bounce.*',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('postal', credentials, settings);
  const keys = rsaPublicKeys('postal', settings.secrets);
  return { verify: (request: EspRequest) => verify(request, keys) };
}

/** Older installations sign with SHA-1 only. Where there is the better signature, it alone decides. */
function verify({ headers, body }: EspRequest, keys: readonly KeyObject[]): Verdict {
  const digest = headers[SHA256_SIGNATURE] ? 'sha256' : 'sha1';
  const encoded = headers[SHA256_SIGNATURE] || headers[SHA1_SIGNATURE];
  if (!encoded) return { outcome: 'refused', code: 'SIGNATURE_MISSING' };
  const signatures = presented(encoded, fromBase64);
  if (signatures.length === 0) return { outcome: 'refused', code: 'SIGNATURE_MALFORMED' };
  return signatures.some((signature) => rsaMatches(keys, digest, body, signature))
    ? { outcome: 'verified' }
    : { outcome: 'refused', code: 'SIGNATURE_WRONG' };
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.event, 'event');
  const payload = objectOf(event.payload);
  const message = objectOf(payload.message ?? payload.original_message);
  // Postal forwarded incoming mail to an address or an endpoint: the event is not about mail that was sent.
  if (text(message.direction) === 'incoming') return [];
  // A bounce that came as a message is in the payload, under any event name.
  const returned = isObject(payload.bounce);
  const type = returned ? 'bounced' : typeOf(vendorType, payload);
  const id = text(event.uuid);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: firstTime(event.timestamp, payload.timestamp),
      recipient: type === 'other' ? bareAddress(message.to) : recipientOf(message.to),
      identity: id === null ? ['item', item.text] : ['id', id],
      // Its own refusals were bounces in version 1 of the identities.
      ...(type === 'dropped' ? { formerly: [{ type: 'bounced' }] } : {}),
      esp_event_id: id,
      esp_message_id: text(message.id),
      message_id: messageId(message.message_id),
      sender: bareAddress(message.from) || null,
      subject: text(message.subject),
      tags: tagsOf(message.tag),
      ...details(type, payload, item),
    },
  ];
}

/**
 * HardFail without an answer: no server was asked in the last attempt. Unless all attempts are used up, none was
 * asked at all (outgoing_message_processor.rb: spam, or the sender's domain is gone).
 */
function typeOf(vendorType: string, payload: JsonObject): EventType {
  const type = TYPES.get(vendorType) ?? 'other';
  if (type !== 'bounced' || text(text(payload.output)?.trim()) !== null) return type;
  const details = text(payload.details);
  return details === null || ATTEMPTED.test(details) ? type : 'dropped';
}
const ATTEMPTED = /\battempts?\b|delivery error/i;

function details(type: EventType, payload: JsonObject, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'delivered':
      return { smtp_response: answerOf(payload) };
    case 'deferred':
      return failure(payload);
    case 'bounced': {
      const answer = answerOf(payload);
      // HardFail says that Postal has stopped trying, nothing of the address.
      const word = ATTEMPTS_USED_UP.test(text(payload.details) ?? '') ? USED_UP : {};
      return { ...bounceVerdict(smtpFacts(answer), answer, word), ...failure(payload) };
    }
    case 'dropped': {
      const spam = text(objectOf(payload.message).spam_status) === 'Spam';
      const diagnostic = text(payload.details);
      return { drop_reason: spam ? 'spam' : dropReason(diagnostic), diagnostic };
    }
    case 'opened':
      return client(payload);
    case 'clicked':
      return { ...client(payload), url: text(payload.url) };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

const ATTEMPTS_USED_UP = /number of delivery attempts/i;
const USED_UP = { says: 'soft', category: 'timeout' } as const;

/** `output` is what the receiving server said, `details` what Postal makes of it. */
function answerOf(payload: JsonObject): string | null {
  return text(text(payload.output)?.trim()) ?? text(payload.details);
}

function failure(payload: JsonObject): Partial<EspEvent> {
  const answer = answerOf(payload);
  const smtp = smtpFacts(answer);
  return { smtp_code: smtp.code, enhanced_status: smtp.enhanced, diagnostic: answer };
}

function client(payload: JsonObject): Pick<EspEvent, 'user_agent' | 'ip'> {
  return { user_agent: text(payload.user_agent), ip: text(payload.ip_address) };
}
