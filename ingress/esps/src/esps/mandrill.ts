import { isUtf8 } from 'node:buffer';
import type { EmailDropped, EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  EspConfigError,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type RefusalCode,
  type Verdict,
  type Verifier,
  type VerifierSettings,
} from '../adapter.ts';
import { BOUNCE_CODES, bounceVerdict } from '../reading/bounce.ts';
import { type BounceCategory, smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  firstText,
  itemObject,
  metadataOf,
  recipientOf,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { encodeForeign } from '../reading/foreign-bytes.ts';
import { parseFormBytes, strictFormBytes } from '../reading/form.ts';
import { decodeText, JsonItem, type JsonObject, listOf, objectOf, parseJson } from '../reading/json.ts';
import { anyTime } from '../reading/time.ts';
import { checkSettings, textOption } from '../schemes/settings.ts';
import { fromBase64, hmacMatches, presented } from '../schemes/signatures.ts';

// Seen 2026-11: https://mailchimp.com/developer/transactional/docs/webhooks/

const EVENT_TYPES = {
  send: 'queued',
  deferral: 'deferred',
  delivered: 'delivered',
  hard_bounce: 'bounced',
  soft_bounce: 'bounced',
  reject: 'dropped',
  open: 'opened',
  click: 'clicked',
  spam: 'complained',
  unsub: 'unsubscribed',
  inbound: 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

const CATEGORIES: ReadonlyMap<string, BounceCategory> = new Map([
  ['bad_mailbox', 'invalid_mailbox'],
  ['invalid_domain', 'domain_not_found'],
  ['mailbox_full', 'mailbox_full'],
  ['message_too_large', 'too_large'],
]);

const DROP_REASONS: ReadonlyMap<string, EmailDropped['drop_reason']> = new Map([
  ['hard-bounce', 'bounced'],
  ['soft-bounce', 'bounced'],
  ['spam', 'complained'],
  ['unsub', 'unsubscribed'],
  ['invalid', 'invalid'],
]);

/** Signs the test that follows the making of a webhook, and is known to everybody. */
const TEST_KEY = Buffer.from('test-webhook');
/** Bytes of a body up to which it is worth a second digest to say that it was signed with that key. */
const LONGEST_TEST = 65_536;
const SIGNATURE = 'x-mandrill-signature';
const EVENTS = 'mandrill_events';

const IGNORED =
  `location location.* user_agent_parsed user_agent_parsed.* ts ip user_agent _id msg._id msg._version
   msg.ts msg.state msg.opens[].* msg.clicks[].* msg.resends[].* msg.smtp_events[].* msg.subaccount
   msg.template msg.bgtools_code msg.bounce_description msg.diag msg.reject.* type action reject.* entry.*`.split(
    /\s+/,
  );

const credentials = {
  secret: 'webhook key (auth_key)',
  options: [
    {
      name: 'url',
      required: true,
      description: 'URL of the webhook exactly as it is configured at Mandrill; it is part of what is signed',
    },
  ],
} as const;

export const mandrill = {
  name: 'mandrill',
  title: 'Mandrill (Mailchimp Transactional)',
  documentation: [
    'https://mailchimp.com/developer/transactional/docs/webhooks/',
    'https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/',
  ],
  http: {
    ...JSON_BY_POST,
    // It looks whether the URL is there before it shows the key.
    probes: ['HEAD'],
    contentTypes: ['application/x-www-form-urlencoded'],
    // 1000 opens come to 2.3 MB, urlencoded; clicks with metadata to more.
    maxBodyBytes: 4_194_304,
    maxEvents: 1000,
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      'blacklist add, change (sync)': 'unsubscribed',
      'blacklist remove, whitelist add (sync)': 'subscribed',
    },
    proof: 'HMAC-SHA1 over the configured URL and the form',
    retries: 'failed batches are sent again, unless the answer is 200; the schedule is not published',
    identity:
      'type, message (_id), time, link and client: there is no event id, and _id repeats in all events of a message',
    fills: { stream: 'subaccount of an entry of the reject list', metadata: '`metadata`', tags: '`tags`' },
    limitations: [
      'Signs the URL: with another host, port or scheme in option url than at Mandrill, nothing verifies.',
      'Signs no time: a replay is caught by deduplication alone.',
      'A batch has up to 1000 events; one that is larger than the source’s maxBodyBytes (4 MiB unless configured) is refused.',
      'Does not tell the list of an unsubscribe, nor why a message was rejected, unless msg.reject is there.',
    ],
    ignored: IGNORED,
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings): Verifier {
  checkSettings('mandrill', credentials, settings);
  const keys = settings.secrets.map((secret) => Buffer.from(secret));
  if (keys.some((key) => key.equals(TEST_KEY))) {
    throw new EspConfigError('a secret of mandrill is the public test key');
  }
  const url = textOption(settings, 'url') ?? '';
  if (!/^https?:\/\//i.test(url)) throw new EspConfigError('option url of mandrill is no http(s) URL');
  return { verify: (request) => verify(request, keys, url) };
}

function verify(request: EspRequest, keys: readonly Buffer[], url: string): Verdict {
  const encoded = request.headers[SIGNATURE];
  if (!encoded) return refused('SIGNATURE_MISSING');
  const signatures = presented(encoded, fromBase64);
  if (signatures.length === 0) return refused('SIGNATURE_MALFORMED');
  const fields = fieldsOf(request);
  if (typeof fields === 'string') return refused(fields);
  // One digest a key, however many signatures came.
  const signedBy = (tried: readonly Buffer[]) => hmacMatches('sha1', tried, signed, signatures);
  // Bytes, not text: what was sent is signed, also where it is no UTF-8.
  const signed = [url, ...fields.flatMap(([name, value]) => [encodeForeign(name), value])];
  if (signedBy(keys)) return { outcome: 'verified' };
  if (request.body.length > LONGEST_TEST || !signedBy([TEST_KEY])) return refused('SIGNATURE_WRONG');
  const isTest = fields.length === 1 && fields[0]?.[0] === EVENTS && fields[0][1].toString().trim() === '[]';
  return isTest
    ? { outcome: 'verified', handshake: { kind: 'acknowledge', note: 'Mandrill has tried the webhook' } }
    : refused('TEST_SECRET_NOT_ALLOWED');
}

function refused(code: RefusalCode): Verdict {
  return { outcome: 'refused', code };
}

/** In the order in which they are signed; else why there are none. */
function fieldsOf(request: EspRequest): (readonly [name: string, value: Buffer])[] | RefusalCode {
  try {
    const fields = strictFormBytes(request);
    // Mandrill has not signed a body that no encoder writes.
    if (!fields) return 'SIGNATURE_WRONG';
    if (new Set(fields.map(([name]) => name)).size < fields.length) return 'BODY_UNREADABLE';
    return fields.toSorted(([one], [other]) => (one < other ? -1 : 1));
  } catch {
    return 'BODY_UNREADABLE';
  }
}

function split(request: EspRequest): readonly Item[] {
  const bytes = parseFormBytes(request).find(([name]) => name === EVENTS)?.[1];
  const events = parsed(bytes && decodeText(bytes));
  if (!Array.isArray(events)) {
    throw new Refusal('NORMALIZE_BODY_UNREADABLE', `the body has no list ${EVENTS}`);
  }
  const suspect = bytes !== undefined && !isUtf8(bytes);
  return events.map((event, index) => new JsonItem(index, event, suspect));
}

function parsed(json: string | undefined): unknown {
  try {
    return json === undefined ? undefined : parseJson(json);
  } catch (cause) {
    throw new Refusal('NORMALIZE_BODY_UNREADABLE', `${EVENTS} is not valid JSON`, { cause });
  }
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const msg = objectOf(event.msg);
  const vendorType = vendorTypeOf(event);
  const choice = choiceOf(vendorType, event);
  const type = choice?.type ?? TYPES.get(vendorType) ?? 'other';
  const message = firstText(event._id, msg._id);
  const address = firstText(msg.email, objectOf(event.reject).email, objectOf(event.entry).email);
  // Older sync events tell no time.
  const occurredAt = anyTime(event.ts);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: occurredAt,
      recipient: type === 'other' ? bareAddress(address) : recipientOf(address),
      identity:
        message === null || typeof occurredAt !== 'number'
          ? ['item', item.text]
          : [
              'event',
              vendorType,
              message,
              occurredAt,
              urlOf(event, msg),
              text(event.ip),
              text(event.user_agent),
            ],
      esp_message_id: message,
      sender: bareAddress(firstText(msg.sender, msg.from_email)) || null,
      subject: text(msg.subject),
      tags: tagsOf(msg.tags),
      // An empty list if there is none: PHP's empty object.
      metadata: metadataOf(msg.metadata),
      ...(choice ? { ...choice, formerly: [{ type: 'other' }] } : details(type, vendorType, event, item)),
    },
  ];
}

/** Sync events (changes of the reject list and the allow list) have a type and an action instead. */
function vendorTypeOf(event: JsonObject): string {
  const name = firstText(event.event);
  if (name !== null) return name;
  const sync = [text(event.type), text(event.action)].filter((part) => part !== null);
  if (sync.length === 0) throw new Refusal('NORMALIZE_ITEM_INVALID', 'event is missing');
  return sync.join(' ');
}

function details(type: EventType, vendorType: string, event: JsonObject, item: Item): Partial<EspEvent> {
  const msg = objectOf(event.msg);
  switch (type) {
    case 'delivered': {
      const last = lastAttempt(msg);
      return { smtp_response: text(last.diag), remote_mta: text(last.destination_ip) };
    }
    case 'deferred':
      return { ...failure(msg), attempt: listOf(msg.smtp_events).length || null };
    case 'bounced':
      return {
        ...verdictOf(vendorType, msg),
        ...failure(msg),
      };
    case 'dropped': {
      const reason = text(objectOf(msg.reject).reason);
      return { drop_reason: DROP_REASONS.get(reason ?? '') ?? 'other', diagnostic: reason };
    }
    case 'opened':
      return client(event);
    case 'clicked':
      return { ...client(event), url: urlOf(event, msg) };
    case 'unsubscribed':
      return { scope: 'all', user_agent: text(event.user_agent), ip: text(event.ip) };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function failure(msg: JsonObject) {
  const diagnostic = firstText(msg.diag, lastAttempt(msg).diag);
  const { code, enhanced } = smtpFacts(diagnostic);
  return { smtp_code: code, enhanced_status: enhanced, diagnostic };
}

function lastAttempt(msg: JsonObject): JsonObject {
  return objectOf(listOf(msg.smtp_events).at(-1));
}

function verdictOf(vendorType: string, msg: JsonObject) {
  const { diagnostic } = failure(msg);
  return bounceVerdict(smtpFacts(diagnostic), diagnostic, {
    says: vendorType === 'hard_bounce' ? 'hard' : 'soft',
    category:
      CATEGORIES.get(text(msg.bounce_description) ?? '') ??
      BOUNCE_CODES.get(text(msg.bgtools_code) ?? '')?.category,
  });
}

function client(event: JsonObject): Partial<EspEvent> {
  const kind = text(objectOf(event.user_agent_parsed).type)?.toLowerCase();
  return {
    user_agent: text(event.user_agent),
    ip: text(event.ip),
    // That no robot was recognized does not mean that there was none.
    is_machine: kind === 'robot' ? true : null,
  };
}

/** Test events have it in the list of clicks alone. */
function urlOf(event: JsonObject, msg: JsonObject): string | null {
  return event.event === 'click' ? firstText(event.url, objectOf(listOf(msg.clicks).at(-1)).url) : null;
}

// Changes of the reject list ("blacklist") and of the allow list, on the same page.

/** The entry goes by itself after some days. */
const PASSING: ReadonlySet<string> = new Set(['soft-bounce', 'test']);
/** That such an entry is removed says that the address works again, nothing of consent. */
const NO_CHOICE: ReadonlySet<string> = new Set(['hard-bounce', 'spam', 'invalid', ...PASSING]);

/** Whether Mandrill will write to an address from now on; undefined if the change does not decide that. */
function choiceOf(
  vendorType: string,
  event: JsonObject,
): Pick<EspEvent, 'type' | 'scope' | 'stream' | 'method'> | undefined {
  const { reason, subaccount } = objectOf(event.reject);
  // An entry can hold for one subaccount.
  const stream = text(subaccount);
  const shared = { scope: stream ?? 'all', stream, method: text(reason) };
  switch (vendorType) {
    case 'blacklist add':
    case 'blacklist change':
      return PASSING.has(text(reason) ?? '') ? undefined : { type: 'unsubscribed', ...shared };
    case 'blacklist remove':
      return NO_CHOICE.has(text(reason) ?? '') ? undefined : { type: 'subscribed', ...shared };
    case 'whitelist add':
      return { type: 'subscribed', scope: 'all', method: 'whitelist' };
    default:
      return undefined;
  }
}
