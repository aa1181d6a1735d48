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
import { BOUNCE_CODES, type BounceMeaning, bounceVerdict, dropReason } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  firstText,
  integer,
  itemObject,
  metadataOf,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { isObject, JsonItem, type JsonObject, objectOf, parseBody } from '../reading/json.ts';
import { anyTime, type ToldTime } from '../reading/time.ts';
import { CREDENTIAL_OPTIONS, credentialVerifier } from '../schemes/credentials.ts';

// Seen 2026-11: https://developers.sparkpost.com/api/webhooks/ and https://docs.bird.com/api/email-api/webhooks

const EVENT_TYPES = {
  injection: 'queued',
  delivery: 'delivered',
  delay: 'deferred',
  bounce: 'bounced',
  out_of_band: 'bounced',
  policy_rejection: 'dropped',
  generation_failure: 'dropped',
  generation_rejection: 'dropped',
  spam_complaint: 'complained',
  open: 'opened',
  initial_open: 'opened',
  amp_open: 'opened',
  amp_initial_open: 'opened',
  click: 'clicked',
  amp_click: 'clicked',
  list_unsubscribe: 'unsubscribed',
  link_unsubscribe: 'unsubscribed',
  sms_status: 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));
// Other classes (relay, A/B tests, ingestion) reuse names such as "delivery" for things other than mail that was sent.
const CLASSES: ReadonlySet<string> = new Set([
  'message_event',
  'gen_event',
  'track_event',
  'unsubscribe_event',
]);

const UNKNOWN_BOUNCE: BounceMeaning = { type: 'bounced', says: 'nothing' };

const IGNORED =
  `type bounce_class amp_enabled click_tracking open_tracking outbound_tls initial_pixel customer_id delv_method
   device_token display_name error_code geo_ip.* injection_time ip_address ip_pool mailbox_provider
   mailbox_provider_region mailfrom message_id msg_from msg_size num_retries queue_time rcpt_hash
   rcpt_subs.* rcpt_to rcpt_type reason recipient_domain recv_method report_by report_to routing_domain
   scheduled_time sending_domain sending_ip subaccount_id target_link_name target_link_url tdate template_id
   template_version transactional transmission_id user_agent_parsed.* user_str`.split(/\s+/);

const credentials = { secret: 'user:password of Basic authentication', options: CREDENTIAL_OPTIONS } as const;

export const sparkpost = {
  name: 'sparkpost',
  title: 'SparkPost (Bird)',
  documentation: [
    'https://developers.sparkpost.com/api/webhooks/',
    'https://docs.bird.com/api/email-api/webhooks',
    'https://support.sparkpost.com/docs/deliverability/bounce-classification-codes',
  ],
  http: {
    ...JSON_BY_POST,
    // Batches have no documented size; 700 opens come to 1.2 MB.
    maxBodyBytes: 4_194_304,
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      ...Object.fromEntries([...BOUNCE_CODES].map(([code, { type }]) => [`bounce ${code}`, type])),
    },
    proof: 'Basic authentication, a header, or a token in the URL',
    retries: 'the whole batch for 8 h, unless the answer is 200',
    identity: 'type and event_id; without one, type, message, recipient, time, link and client',
    fills: {
      campaign: '`campaign_id`',
      variant: '`ab_test_version`, else `ab_test_id`',
      metadata: '`rcpt_meta`',
      tags: '`rcpt_tags`',
    },
    limitations: [
      'Signs nothing: Basic authentication or a header of one’s own is the only proof. OAuth 2 is not supported.',
      'Counts an open at the top of a mail (initial_open) and one at its end (open): esp_event_type tells them apart.',
      'The send API returns the transmission_id; esp_message_id is the message_id, where there is one.',
    ],
    ignored: [
      'cust.*',
      ...IGNORED.flatMap((name) => [...CLASSES].map((eventClass) => `msys.${eventClass}.${name}`)),
    ],
  },
} as const satisfies EspAdapter;

// Sent when a webhook is made or tested.
const PING = /^\s*\[\s*\{\s*"msys"\s*:\s*\{\s*\}\s*\}\s*\]\s*$/;
const LONGEST_PING = 100;

function verifier(settings: VerifierSettings): Verifier {
  const proof = credentialVerifier('sparkpost', credentials, settings);
  return {
    ...proof,
    verify(request) {
      const verdict = proof.verify(request);
      if (verdict.outcome !== 'verified' || !isPing(request)) return verdict;
      return { ...verdict, handshake: { kind: 'acknowledge', note: 'SparkPost has tried the webhook' } };
    },
  };
}

function isPing({ body }: EspRequest): boolean {
  return body.length <= LONGEST_PING && PING.test(body.toString('latin1'));
}

function split({ body }: EspRequest): readonly Item[] {
  const events = parseBody(body);
  if (!Array.isArray(events)) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is not a list');
  return events.map((event, index) => new JsonItem(index, event));
}

function normalize(item: Item): readonly EspEvent[] {
  const { msys } = itemObject(item.value);
  if (!isObject(msys)) throw new Refusal('NORMALIZE_ITEM_INVALID', 'msys is missing');
  const [eventClass] = Object.keys(msys);
  if (eventClass === undefined) return [];
  const event = itemObject(msys[eventClass]);
  // Inbound mail (relay_message) has no type.
  const vendorType = CLASSES.has(eventClass)
    ? required(event.type, 'type')
    : (text(event.type) ?? eventClass);
  const meaning: BounceMeaning = CLASSES.has(eventClass) ? meaningOf(vendorType, event) : { type: 'other' };
  const isOther = meaning.type === 'other';
  const occurredAt = anyTime(event.timestamp);
  const address = firstText(event.raw_rcpt_to, event.rcpt_to);
  return [
    {
      type: meaning.type,
      esp_event_type: vendorType,
      occurred_at: occurredAt,
      recipient: isOther ? bareAddress(address) : recipientOf(address),
      identity: identityOf(vendorType, event, occurredAt, item),
      esp_event_id: text(event.event_id),
      esp_message_id: firstText(event.message_id, event.transmission_id),
      sender: bareAddress(firstText(event.friendly_from, event.msg_from)) || null,
      subject: text(event.subject),
      campaign: text(event.campaign_id),
      variant: firstText(event.ab_test_version, event.ab_test_id),
      tags: tagsOf(event.rcpt_tags),
      metadata: metadataOf(event.rcpt_meta),
      ...details(meaning, vendorType, event, item),
    },
  ];
}

function meaningOf(vendorType: string, event: JsonObject): BounceMeaning {
  const type = TYPES.get(vendorType) ?? 'other';
  return type === 'bounced' ? (BOUNCE_CODES.get(text(event.bounce_class) ?? '') ?? UNKNOWN_BOUNCE) : { type };
}

function details(
  meaning: BounceMeaning,
  vendorType: string,
  event: JsonObject,
  item: Item,
): Partial<EspEvent> {
  switch (meaning.type) {
    case 'delivered':
      return { remote_mta: text(event.ip_address) };
    case 'deferred':
      return { ...failure(event), attempt: attemptOf(event) };
    case 'bounced': {
      const { diagnostic, ...smtp } = failure(event);
      return {
        ...bounceVerdict(smtpOf(event), diagnostic, meaning),
        ...smtp,
        diagnostic,
        remote_mta: text(event.ip_address),
      };
    }
    case 'dropped': {
      const { diagnostic } = failure(event);
      return {
        drop_reason: vendorType === 'generation_failure' ? 'content' : dropReason(diagnostic),
        diagnostic,
      };
    }
    case 'opened':
      return client(event);
    case 'clicked':
      return { ...client(event), url: text(event.target_link_url) };
    case 'complained':
      return { feedback_type: text(event.fbtype) };
    case 'unsubscribed':
      return { scope: 'all', method: vendorType, ...(vendorType === 'bounce' ? {} : agentOf(event)) };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

/** The first attempt has no retries before it. */
function attemptOf(event: JsonObject): number | null {
  const retries = integer(event.num_retries);
  return retries === null ? null : retries + 1;
}

function smtpOf(event: JsonObject) {
  return smtpFacts(firstText(event.raw_reason, event.reason), event.error_code);
}

function failure(event: JsonObject) {
  const smtp = smtpOf(event);
  const diagnostic = firstText(event.raw_reason, event.reason);
  return { smtp_code: smtp.code, enhanced_status: smtp.enhanced, diagnostic };
}

function client(event: JsonObject): Partial<EspEvent> {
  const agent = objectOf(event.user_agent_parsed);
  const known = [agent.is_prefetched, agent.is_proxy].filter((said) => typeof said === 'boolean');
  return { ...agentOf(event), is_machine: known.length === 0 ? null : known.includes(true) };
}

function agentOf(event: JsonObject) {
  return { user_agent: text(event.user_agent), ip: text(event.ip_address) };
}

function identityOf(
  vendorType: string,
  event: JsonObject,
  occurredAt: ToldTime,
  item: Item,
): EspEvent['identity'] {
  const id = text(event.event_id);
  if (id !== null) return ['id', vendorType, id];
  const message = firstText(event.message_id, event.transmission_id);
  if (message === null || typeof occurredAt !== 'number') return ['item', item.text];
  const { user_agent, ip } = agentOf(event);
  return ['event', vendorType, message, occurredAt, text(event.target_link_url), user_agent, ip];
}
