import type { EmailDropped, EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type VerifierSettings,
} from '../adapter.ts';
import { bounceVerdict, type VendorWord } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import {
  bareAddress,
  firstText,
  itemObject,
  metadataOf,
  recipientOf,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { isObject, JsonItem, type JsonObject, objectOf, parseBody } from '../reading/json.ts';
import { firstTime, type ToldTime } from '../reading/time.ts';
import { CREDENTIAL_OPTIONS, credentialVerifier } from '../schemes/credentials.ts';

// Seen 2026-11: https://postmarkapp.com/developer/webhooks/webhooks-overview and its neighbours.

const RECORD_TYPES = {
  Delivery: 'delivered',
  Bounce: 'bounced',
  SpamComplaint: 'complained',
  Open: 'opened',
  Click: 'clicked',
  SubscriptionChange: 'unsubscribed',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(RECORD_TYPES));

interface BounceMeaning extends VendorWord {
  readonly type: EventType;
  /** The address is deactivated, which Postmark reports once more as a change of the subscription. */
  readonly suppresses?: true;
  readonly dropReason?: EmailDropped['drop_reason'];
}

/** By `Type`: the numeric codes of the documentation's samples do not always agree with it. */
const BOUNCE_TYPES: { readonly [type: string]: BounceMeaning } = {
  HardBounce: { type: 'bounced', says: 'hard', suppresses: true },
  Transient: { type: 'deferred' },
  Unsubscribe: { type: 'unsubscribed' },
  Subscribe: { type: 'subscribed' },
  AutoResponder: { type: 'other' },
  AddressChange: { type: 'other' },
  DnsError: { type: 'deferred' },
  // A receiver's filter refused it; no person complained.
  SpamNotification: { type: 'bounced', says: 'nothing', category: 'spam' },
  OpenRelayTest: { type: 'deferred' },
  Unknown: { type: 'bounced', says: 'nothing' },
  SoftBounce: { type: 'bounced', says: 'soft' },
  VirusNotification: { type: 'bounced', says: 'nothing', category: 'content' },
  ChallengeVerification: { type: 'other' },
  BadEmailAddress: { type: 'bounced', says: 'address', category: 'invalid_mailbox', suppresses: true },
  SpamComplaint: { type: 'complained' },
  ManuallyDeactivated: { type: 'dropped', dropReason: 'other' },
  Unconfirmed: { type: 'dropped', dropReason: 'other' },
  Blocked: { type: 'bounced', says: 'message', category: 'policy' },
  SMTPApiError: { type: 'dropped', dropReason: 'other' },
  InboundError: { type: 'other' },
  DMARCPolicy: { type: 'dropped', dropReason: 'other' },
  TemplateRenderingFailed: { type: 'dropped', dropReason: 'content' },
};
const BOUNCES: ReadonlyMap<string, BounceMeaning> = new Map(Object.entries(BOUNCE_TYPES));
const UNKNOWN_BOUNCE: BounceMeaning = { type: 'bounced', says: 'nothing' };

const credentials = { secret: 'user:password of Basic authentication', options: CREDENTIAL_OPTIONS } as const;

export const postmark = {
  name: 'postmark',
  title: 'Postmark',
  documentation: [
    'https://postmarkapp.com/developer/webhooks/webhooks-overview',
    'https://postmarkapp.com/developer/webhooks/bounce-webhook',
    'https://postmarkapp.com/developer/webhooks/subscription-change-webhook',
  ],
  http: {
    ...JSON_BY_POST,
    // 403 would make it stop for good.
    answers: { later: 503, unauthorized: 401 },
  },
  credentials,
  verifier: (settings: VerifierSettings) => credentialVerifier('postmark', credentials, settings),
  split,
  normalize,
  facts: {
    eventTypes: {
      ...RECORD_TYPES,
      ...Object.fromEntries(Object.entries(BOUNCE_TYPES).map(([name, { type }]) => [`Bounce ${name}`, type])),
      'SubscriptionChange (SuppressSending false)': 'subscribed',
    },
    proof: 'Basic authentication, or a fixed header, or a token in the URL',
    retries: 'bounces 10 times in 10.5 h, others a few times, unless the answer is 200; 403 ends them',
    identity:
      'ID of bounces; MessageID where a suppression repeats a bounce or a complaint; else record type, message, recipient, time and link',
    fills: { stream: '`MessageStream`', metadata: '`Metadata`', tags: '`Tag`' },
    limitations: ['Signs nothing: Basic authentication is the only proof.', 'Does not tell machine opens.'],
    ignored: [
      'ServerID',
      'ServerId',
      'TypeCode',
      'Name',
      'Inactive',
      'CanActivate',
      'DumpAvailable',
      'Content',
      'FirstOpen',
      'ReadSeconds',
      'Platform',
      'ClickLocation',
      'Client.*',
      'OS.*',
      'Geo.*',
      'Details',
      'Description',
      'Origin',
      'SuppressSending',
    ],
  },
} as const satisfies EspAdapter;

function split({ body }: EspRequest): readonly Item[] {
  const record = parseBody(body);
  if (!isObject(record)) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is not an object');
  return [new JsonItem(0, record)];
}

function normalize(item: Item): readonly EspEvent[] {
  const record = itemObject(item.value);
  const recordType = text(record.RecordType);
  const bounceType = text(record.Type);
  const meaning = meaningOf(recordType, record);
  const recipient =
    meaning.type === 'other'
      ? bareAddress(firstText(record.Email, record.Recipient))
      : recipientOf(firstText(record.Email, record.Recipient));
  const occurredAt = firstTime(
    record.BouncedAt,
    record.DeliveredAt,
    record.ReceivedAt,
    record.ChangedAt,
    record.Date,
  );
  return [
    {
      type: meaning.type,
      esp_event_type: vendorName(recordType, bounceType, record),
      occurred_at: occurredAt,
      recipient,
      identity: identityOf(meaning, record, occurredAt, item),
      esp_event_id: text(record.ID),
      esp_message_id: text(record.MessageID),
      sender: bareAddress(record.From) || null,
      subject: text(record.Subject),
      stream: text(record.MessageStream),
      tags: tagsOf(record.Tag),
      metadata: metadataOf(record.Metadata),
      ...details(meaning, record, item),
    },
  ];
}

function vendorName(recordType: string | null, bounceType: string | null, record: JsonObject): string {
  // Inbound messages are the only ones that do not say what they are.
  if (recordType === null) return record.FromFull === undefined ? 'unknown' : 'Inbound';
  return recordType === 'Bounce' && bounceType !== null ? `Bounce ${bounceType}` : recordType;
}

function meaningOf(recordType: string | null, record: JsonObject): BounceMeaning {
  if (recordType === 'Bounce') return BOUNCES.get(text(record.Type) ?? '') ?? UNKNOWN_BOUNCE;
  if (recordType !== 'SubscriptionChange') return { type: TYPES.get(recordType ?? '') ?? 'other' };
  if (record.SuppressSending === false) return { type: 'subscribed' };
  switch (text(record.SuppressionReason)) {
    case 'HardBounce':
      return { type: 'bounced', says: 'hard', suppresses: true };
    case 'SpamComplaint':
      return { type: 'complained' };
    default:
      return { type: 'unsubscribed' };
  }
}

function details(meaning: BounceMeaning, record: JsonObject, item: Item): Partial<EspEvent> {
  switch (meaning.type) {
    case 'delivered':
      return { smtp_response: text(record.Details) };
    case 'deferred':
      return failure(record);
    case 'bounced':
      return {
        ...bounceVerdict(smtpOf(record), text(record.Details), meaning),
        ...failure(record),
      };
    case 'dropped':
      return { drop_reason: meaning.dropReason ?? 'other', diagnostic: answerOf(record) };
    case 'opened':
      return client(record);
    case 'clicked':
      return { ...client(record), url: text(record.OriginalLink) };
    case 'unsubscribed':
    case 'subscribed':
      // Postmark suppresses by message stream.
      return {
        scope: text(record.MessageStream) ?? 'all',
        method: firstText(record.Origin, record.SuppressionReason),
      };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

/** `Details` quotes the receiving server, `Description` explains the type. */
function answerOf(record: JsonObject): string | null {
  return firstText(record.Details, record.Description);
}

function smtpOf(record: JsonObject) {
  return smtpFacts(text(record.Details));
}

function failure(record: JsonObject): Partial<EspEvent> {
  const smtp = smtpOf(record);
  return { smtp_code: smtp.code, enhanced_status: smtp.enhanced, diagnostic: answerOf(record) };
}

function client(record: JsonObject): Partial<EspEvent> {
  return { user_agent: text(record.UserAgent), ip: text(objectOf(record.Geo).IP) };
}

function identityOf(
  meaning: BounceMeaning,
  record: JsonObject,
  occurredAt: ToldTime,
  item: Item,
): EspEvent['identity'] {
  const message = text(record.MessageID);
  const suppresses = meaning.suppresses || meaning.type === 'complained';
  // The bounce (or complaint) and the suppression that follows it tell of one thing, with different ids and times.
  if (suppresses && message !== null) return ['message', message];
  const id = text(record.ID);
  if (id !== null) return ['id', id];
  if (message === null || typeof occurredAt !== 'number') return ['item', item.text];
  return [
    'event',
    text(record.RecordType),
    message,
    occurredAt,
    text(record.OriginalLink),
    text(record.UserAgent),
    text(objectOf(record.Geo).IP),
  ];
}
