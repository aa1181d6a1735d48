import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  EspConfigError,
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
  firstText,
  itemObject,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { isObject, type JsonObject, objectOf, oneObject, parseBody } from '../reading/json.ts';
import { firstTime } from '../reading/time.ts';
import { checkSettings } from '../schemes/settings.ts';
import { judgeHexHmac } from '../schemes/signatures.ts';

// Seen 2026-11: https://developers.mailersend.com/api/v1/webhooks.html

const SIGNATURE = 'signature';

/** Signs `webhook.test`, which comes when a webhook is saved. It is published, so it proves nothing of any event. */
export const MAILERSEND_TEST_SECRET = 'test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G';
const TEST_TYPE = 'webhook.test';

const EVENT_TYPES = {
  'activity.sent': 'queued',
  'activity.delivered': 'delivered',
  'activity.deferred': 'deferred',
  'activity.soft_bounced': 'bounced',
  'activity.hard_bounced': 'bounced',
  'activity.suppressed': 'dropped',
  'activity.opened': 'opened',
  'activity.opened_unique': 'opened',
  'activity.clicked': 'clicked',
  'activity.clicked_unique': 'clicked',
  'activity.unsubscribed': 'unsubscribed',
  'activity.spam_complaint': 'complained',
  'activity.spam_complaints': 'complained',
  'activity.survey_opened': 'other',
  'activity.survey_submitted': 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

const credentials = { secret: 'signing secret of the webhook', options: [] } as const;

export const mailersend = {
  name: 'mailersend',
  title: 'MailerSend',
  documentation: ['https://developers.mailersend.com/api/v1/webhooks.html'],
  http: {
    ...JSON_BY_POST,
    // Every 4xx but 429 is final, a wrong signature too.
    answers: { later: 503, unauthorized: 401 },
  },
  credentials,
  verifier,
  split: oneObject,
  normalize,
  facts: {
    eventTypes: EVENT_TYPES,
    proof: 'HMAC-SHA256 over the body',
    retries:
      'for about 3 days at growing intervals, unless the answer is 2xx within 3 s; 4xx but 429 is final',
    identity:
      'data.id, which opened_unique and clicked_unique share with the event they repeat; without one, the item',
    fills: { tags: '`tags`' },
    limitations: [
      'No time is signed: a replay is caught by deduplication only.',
      'No metadata. Custom headers are not reported.',
      'The reason that somebody gave for unsubscribing stays in the raw request.',
      'Says nothing of machine opens.',
    ],
    ignored: [
      'domain_id',
      'webhook_id',
      'url',
      'created_at',
      'data.object',
      'data.domain_id',
      'data.account_id',
      'data.type',
      'data.template_id',
      'data.email_id',
      'data.email.object',
      'data.email.id',
      'data.email.created_at',
      'data.email.status',
      'data.email.headers',
      'data.email.message.object',
      'data.email.message.created_at',
      'data.email.recipient.object',
      'data.email.recipient.id',
      'data.email.recipient.created_at',
      'data.morph',
      'data.morph.*',
      'data.meta.*',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('mailersend', credentials, settings);
  const secrets = settings.secrets.filter((secret) => secret !== MAILERSEND_TEST_SECRET);
  if (secrets.length === 0) throw new EspConfigError('the secret of mailersend is the public test secret');
  return { verify: (request: EspRequest) => verify(request, secrets) };
}

function verify({ headers, body }: EspRequest, secrets: readonly string[]): Verdict {
  const verdict = judgeHexHmac(secrets, [body], headers[SIGNATURE]);
  if (verdict.outcome === 'verified') return isTest(body) ? HANDSHAKE : verdict;
  // A second digest of what is no test would only double what a forged body costs.
  if (body.length > LONGEST_TEST) return verdict;
  const test = judgeHexHmac([MAILERSEND_TEST_SECRET], [body], headers[SIGNATURE]);
  if (test.outcome !== 'verified') return verdict;
  return isTest(body) ? HANDSHAKE : { outcome: 'refused', code: 'TEST_SECRET_NOT_ALLOWED' };
}

const HANDSHAKE: Verdict = {
  outcome: 'verified',
  handshake: { kind: 'acknowledge', note: 'MailerSend tested the webhook' },
};

/** Bytes; a test has no data. */
const LONGEST_TEST = 8_192;

function isTest(body: Buffer): boolean {
  // Everybody has the test's secret, and a body of any length may say that it is one.
  if (body.length > LONGEST_TEST || !body.includes(TEST_TYPE)) return false;
  try {
    return objectOf(parseBody(body)).type === TEST_TYPE;
  } catch {
    return false;
  }
}

/** Reads both generations: in the older one `data.email` is an object, in the newer one the recipient. */
function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.type, 'type');
  if (vendorType === TEST_TYPE) return [];
  const type = TYPES.get(vendorType) ?? 'other';
  const data = objectOf(event.data);
  const email = objectOf(data.email);
  const address = isObject(data.email)
    ? objectOf(email.recipient).email
    : firstText(data.email, data.recipient);
  const id = text(data.id);
  return [
    {
      type,
      esp_event_type: vendorType,
      // That of the event comes before that of the request.
      occurred_at: firstTime(data.created_at, event.created_at),
      recipient: type === 'other' ? bareAddress(address) : recipientOf(address),
      // No type in it: `opened` and `opened_unique` of one opening are one event.
      identity: id === null ? ['item', item.text] : ['id', id],
      esp_event_id: id,
      esp_message_id: firstText(objectOf(email.message).id, data.message_id),
      sender: bareAddress(firstText(email.from, data.from)) || null,
      subject: firstText(email.subject, data.subject),
      tags: tagsOf(email.tags ?? data.tags),
      ...details(type, vendorType, data, item),
    },
  ];
}

function details(type: EventType, vendorType: string, data: JsonObject, item: Item): Partial<EspEvent> {
  const morph = objectOf(data.morph);
  // Empty, it is a list.
  const meta = objectOf(data.meta);
  switch (type) {
    case 'delivered':
      return { smtp_response: firstText(meta.smtp_response, meta.response) };
    case 'deferred':
      return failure(morph, meta);
    case 'bounced':
      return {
        ...bounceVerdict(smtpOf(morph, meta), reasonOf(morph, meta), {
          says: vendorType === 'activity.hard_bounced' ? 'hard' : 'soft',
        }),
        ...failure(morph, meta),
      };
    case 'dropped': {
      const diagnostic = reasonOf(morph, meta);
      return { drop_reason: dropReason(`suppressed ${diagnostic ?? ''}`), diagnostic };
    }
    case 'opened':
      return client(morph, meta);
    case 'clicked':
      return { ...client(morph, meta), url: firstText(morph.url, meta.url) };
    case 'unsubscribed':
      return { ...client(morph, meta), scope: 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function reasonOf(morph: JsonObject, meta: JsonObject): string | null {
  return firstText(
    morph.readable_reason,
    morph.reason,
    meta.bounce_reason,
    meta.reject_reason,
    meta.suppression_reason,
    meta.reason,
  );
}

function smtpOf(morph: JsonObject, meta: JsonObject) {
  return smtpFacts(reasonOf(morph, meta), meta.bounce_code);
}

function failure(morph: JsonObject, meta: JsonObject): Partial<EspEvent> {
  const smtp = smtpOf(morph, meta);
  return { smtp_code: smtp.code, enhanced_status: smtp.enhanced, diagnostic: reasonOf(morph, meta) };
}

function client(morph: JsonObject, meta: JsonObject): Pick<EspEvent, 'user_agent' | 'ip'> {
  return { user_agent: firstText(morph.user_agent, meta.user_agent), ip: firstText(morph.ip, meta.ip) };
}
