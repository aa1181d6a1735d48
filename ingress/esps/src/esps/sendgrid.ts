import type { EmailDropped, EventType } from '@email-events/schemas';
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
import { bounceVerdict } from '../reading/bounce.ts';
import { type BounceCategory, smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  firstText,
  flag,
  integer,
  itemObject,
  messageId,
  metadataValue,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { JsonItem, type JsonObject, objectOf, parseBody } from '../reading/json.ts';
import { epochTime } from '../reading/time.ts';
import { checkSettings, refusedAt, staleness, TOLERANCE_OPTION, windowOf } from '../schemes/settings.ts';
import { ecdsaMatches, ecPublicKeys, fromBase64, presented } from '../schemes/signatures.ts';

// Seen 2026-11: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
const SIGNATURE = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP = 'x-twilio-email-event-webhook-timestamp';

// Retries go on for 24 h and it is not documented whether they are signed anew.
const WINDOW_SECONDS = 25 * 3600;

const EVENT_TYPES = {
  processed: 'queued',
  deferred: 'deferred',
  delivered: 'delivered',
  bounce: 'bounced',
  dropped: 'dropped',
  open: 'opened',
  click: 'clicked',
  spamreport: 'complained',
  unsubscribe: 'unsubscribed',
  group_unsubscribe: 'unsubscribed',
  group_resubscribe: 'subscribed',
  account_status_change: 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));

/** Classes that name one cause, where the SMTP answer names none. */
const CATEGORIES: ReadonlyMap<string, BounceCategory> = new Map([
  ['invalid address', 'invalid_mailbox'],
  ['content', 'content'],
  ['reputation', 'policy'],
  ['frequency or volume too high', 'policy'],
]);

const DROP_REASONS: readonly (readonly [RegExp, EmailDropped['drop_reason']])[] = [
  [/bounced address/i, 'bounced'],
  [/unsubscribed address/i, 'unsubscribed'],
  [/spam reporting address/i, 'complained'],
  [/spam content/i, 'spam'],
  [/^invalid$|invalid (?:address|email|recipient)/i, 'invalid'],
];

// Custom arguments are merged into the event: what is none of SendGrid's own names is the sender's.
const OWN_NAMES: ReadonlySet<string> = new Set(
  `email timestamp event sg_event_id sg_message_id smtp-id category asm_group_id reason status response attempt type
   bounce_classification useragent ip url url_offset sg_machine_open marketing_campaign_id marketing_campaign_name
   marketing_campaign_version marketing_campaign_split_id singlesend_id singlesend_name mc_stats mc_auto_id
   mc_auto_name mc_auto_step_id mc_pod_id phase_id newsletter pool send_at tls cert_err sg_content_type sg_template_id
   sg_template_name sg_user_id`.split(/\s+/),
);
// Names that are SendGrid's only in mail of its Marketing Campaigns, and anybody's elsewhere.
const CAMPAIGN_NAMES: ReadonlySet<string> = new Set(['template_id', 'template_hash', 'template_version_id']);

const credentials = {
  secret: 'public key of the signed event webhook, base64 SPKI',
  isPublic: true,
  options: [TOLERANCE_OPTION],
} as const;

export const sendgrid = {
  name: 'sendgrid',
  title: 'Twilio SendGrid',
  documentation: [
    'https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event',
    'https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features',
  ],
  http: {
    ...JSON_BY_POST,
    maxBodyBytes: 1_048_576,
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: EVENT_TYPES,
    proof: 'ECDSA P-256 over timestamp and body',
    retries: 'at growing intervals for 24 h, unless the answer is 2xx',
    identity:
      'message and type where a message can have it once, else also its second, link, address and client; without sg_message_id, sg_event_id; without that, the whole item',
    fills: {
      campaign: 'Marketing Campaign, Single Send or automation',
      variant: 'version of the campaign, template of a Single Send',
      stream: '`asm_group_id`',
      metadata: 'custom arguments',
      tags: '`category`',
    },
    limitations: [
      'Two opens, or clicks on one link, of one message in the same second by the same address and client count once.',
      'Unsigned unless signing is switched on for the webhook.',
      'sg_message_id is kept whole; the X-Message-Id of the send API is its part before ".filter", ".recvd" or the first dot.',
      'A custom argument with the name of one of SendGrid’s own fields cannot be told from it.',
      'Says nothing about the link or method of an unsubscribe, nor which receiving server accepted.',
    ],
    ignored: [
      'url_offset.*',
      'newsletter.*',
      'pool.*',
      'send_at',
      // Of the sending side, in these events.
      'ip',
      'tls',
      'cert_err',
      // The unsubscribe link itself.
      'url',
      'sg_content_type',
      'phase_id',
      'template_hash',
      'template_version_id',
      'mc_auto_step_id',
      'mc_pod_id',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('sendgrid', credentials, settings);
  const keys = ecPublicKeys('sendgrid', settings.secrets);
  const window = windowOf(settings, WINDOW_SECONDS);
  return {
    verify({ headers, body, receivedAt }: EspRequest): Verdict {
      const encoded = headers[SIGNATURE];
      const timestamp = headers[TIMESTAMP];
      if (!encoded || !timestamp) return { outcome: 'refused', code: 'SIGNATURE_MISSING' };
      const signatures = presented(encoded, fromBase64);
      if (signatures.length === 0) return { outcome: 'refused', code: 'SIGNATURE_MALFORMED' };
      const stale = staleness(timestamp, receivedAt, window);
      if (stale) return refusedAt(stale, timestamp);
      const signed = Buffer.concat([Buffer.from(timestamp), body]);
      return signatures.some((signature) => ecdsaMatches(keys, signed, signature))
        ? { outcome: 'verified' }
        : refusedAt('SIGNATURE_WRONG', timestamp);
    },
  };
}

function split({ body }: EspRequest): readonly Item[] {
  const events = parseBody(body);
  if (!Array.isArray(events)) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is not a list');
  const items: Item[] = new Array(events.length);
  for (let index = 0; index < events.length; index++) items[index] = new JsonItem(index, events[index]);
  return items;
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.event, 'event');
  const type = TYPES.get(vendorType.toLowerCase()) ?? 'other';
  const id = text(event.sg_event_id);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: epochTime(event.timestamp),
      recipient: type === 'other' ? bareAddress(event.email) : recipientOf(event.email),
      ...identified(type, vendorType.toLowerCase(), event, item),
      esp_event_id: id,
      esp_message_id: text(event.sg_message_id),
      message_id: messageId(event['smtp-id']),
      campaign: campaignOf(event),
      variant: variantOf(event),
      stream: text(event.asm_group_id),
      tags: tagsOf(event.category),
      metadata: customArguments(event),
      ...details(type, event, item),
    },
  ];
}

/** Happens once to a message and a recipient, so another one is a repetition, even with another id and time. */
const ONCE: ReadonlySet<string> = new Set(['processed', 'delivered', 'bounce', 'dropped', 'spamreport']);

/**
 * SendGrid may send an event again under a new sg_event_id, so its content identifies it: the message, the recipient and the type, and for
 * an event that can happen several times its second, and who did it to what. The price: two opens (or clicks on one link) of one
 * recipient's message in the same second, by the same address and client, are one.
 */
function identified(
  type: EventType,
  vendorType: string,
  event: JsonObject,
  item: Item,
): Pick<EspEvent, 'identity' | 'formerly'> {
  const id = text(event.sg_event_id);
  // Ids are base64 whose padding came and went. An absent id says nothing, so then all there is identifies it.
  const byId = id === null ? ['item', item.text] : ['id', withoutPadding(id)];
  const message = firstText(event.sg_message_id, event['smtp-id']);
  if (message === null || type === 'other') return { identity: byId };
  const formerly = [{ identity: byId }];
  // A message that was blocked may still bounce.
  if (ONCE.has(vendorType))
    return { identity: ['once', vendorType, message, text(event.type)?.toLowerCase()], formerly };
  const time = text(event.timestamp);
  if (time === null || typeof epochTime(time) !== 'number') return { identity: byId };
  const parts = [text(event.attempt), text(event.asm_group_id), text(event.url), urlOffset(event.url_offset)];
  return {
    identity: ['event', vendorType, message, time, ...parts, text(event.ip), text(event.useragent)],
    formerly,
  };
}

/** Which of several equal links: `{"index":1,"type":"html"}`. */
function urlOffset(value: unknown): string | null {
  const { index, type } = objectOf(value);
  return index === undefined && type === undefined ? null : `${text(index)}/${text(type)}`;
}

function details(type: EventType, event: JsonObject, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'delivered':
      return { smtp_response: text(event.response) };
    case 'deferred':
      return deferral(event);
    case 'bounced':
      return bounce(event);
    case 'dropped':
      return { drop_reason: dropReason(text(event.reason)), diagnostic: text(event.reason) };
    case 'opened':
      return { ...client(event), is_machine: flag(event.sg_machine_open) };
    case 'clicked':
      return { ...client(event), url: text(event.url), is_machine: flag(event.sg_machine_open) };
    case 'unsubscribed':
    case 'subscribed':
      return { ...client(event), scope: scopeOf(type, event) };
    case 'other':
      return { payload: item.text };
    case 'queued':
    case 'complained':
      return {};
  }
}

function deferral(event: JsonObject): Partial<EspEvent> {
  const answer = firstText(event.response, event.reason);
  const smtp = smtpFacts(answer, undefined, event.status);
  return {
    attempt: integer(event.attempt),
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: answer,
  };
}

function bounce(event: JsonObject): Partial<EspEvent> {
  const answer = firstText(event.reason, event.response);
  const smtp = smtpFacts(answer, undefined, event.status);
  const kind = text(event.type)?.toLowerCase();
  const classification = text(event.bounce_classification)?.toLowerCase();
  return {
    ...bounceVerdict(smtp, answer, {
      // "blocked": the provider refused this message; SendGrid goes on sending to the address.
      says: kind === 'blocked' ? 'message' : kind === 'bounce' ? 'hard' : undefined,
      category: CATEGORIES.get(classification ?? ''),
    }),
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: answer,
  };
}

function dropReason(reason: string | null): EmailDropped['drop_reason'] {
  return DROP_REASONS.find(([pattern]) => pattern.test(reason ?? ''))?.[1] ?? 'other';
}

function client(event: JsonObject): Partial<EspEvent> {
  return { user_agent: text(event.useragent), ip: text(event.ip) };
}

function scopeOf(type: EventType, event: JsonObject): string {
  if (text(event.event)?.toLowerCase() === 'unsubscribe') return 'all';
  const group = text(event.asm_group_id);
  if (group !== null) return group;
  // Without the group, leaving is read as leaving all (too much is safe); joining cannot be.
  if (type === 'unsubscribed') return 'all';
  throw new Refusal('NORMALIZE_ITEM_INVALID', 'asm_group_id is missing');
}

function campaignOf(event: JsonObject): string | null {
  return firstText(
    event.marketing_campaign_name,
    event.singlesend_name,
    event.mc_auto_name,
    event.marketing_campaign_id,
    event.singlesend_id,
    event.mc_auto_id,
    objectOf(event.newsletter).newsletter_id,
  );
}

function variantOf(event: JsonObject): string | null {
  const variant = firstText(event.marketing_campaign_version, event.marketing_campaign_split_id);
  return variant ?? (event.singlesend_id === undefined ? null : text(event.template_id));
}

function customArguments(event: JsonObject): { [key: string]: string } {
  const metadata: { [key: string]: string } = {};
  for (const key in event) {
    if (OWN_NAMES.has(key)) continue;
    if (CAMPAIGN_NAMES.has(key) && event.mc_stats !== undefined) continue;
    metadata[key] = metadataValue(event[key]);
  }
  return metadata;
}

function withoutPadding(id: string): string {
  return id.endsWith('=') ? id.replace(/=+$/, '') : id;
}
