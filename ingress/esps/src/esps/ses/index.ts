import type { EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type Resources,
  type Verdict,
  type VerifierSettings,
} from '../../adapter.ts';
import {
  bareAddress,
  each,
  firstText,
  headerPairs,
  itemObject,
  messageId,
  required,
  tagsOf,
  text,
} from '../../reading/fields.ts';
import { isObject, type JsonObject, objectOf, parseJson } from '../../reading/json.ts';
import { anyTime, firstTime } from '../../reading/time.ts';
import { checkSettings, listOption, mapOption, TOLERANCE_OPTION, windowOf } from '../../schemes/settings.ts';
import {
  CertificateKeys,
  type SnsSettings,
  snsEnvelope,
  snsHandshake,
  UnverifiedSns,
  verifySns,
} from '../../schemes/sns.ts';
import { headerTags, messageMetadata, type Reading, readDetail } from './details.ts';

// Seen 2026-11: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (eventType)
// and https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html (notificationType).

const EVENT_TYPES = {
  Send: 'queued',
  Delivery: 'delivered',
  DeliveryDelay: 'deferred',
  Bounce: 'bounced',
  Complaint: 'complained',
  Reject: 'dropped',
  'Rendering Failure': 'dropped',
  Open: 'opened',
  Click: 'clicked',
  Subscription: 'unsubscribed',
  Received: 'other',
} as const satisfies { [vendor: string]: EventType };

// A repetition keeps the time of the first attempt. A topic repeats for an hour at most, but AWS may be late by itself, and
// what is refused here is lost; what comes later than that but within the dedupe window is only a duplicate.
const WINDOW_SECONDS = 25 * 3600;

/** SES posts this once, as plain text, when a destination is saved. */
const VALIDATION_NOTE = /^Successfully validated/i;

const credentials = {
  secret: null,
  options: [
    { name: 'topicArns', required: true, description: 'ARNs of the SNS topics that may post here' },
    {
      name: 'certificates',
      required: false,
      description: 'signing certificates (URL → PEM) that are used instead of fetching',
    },
    TOLERANCE_OPTION,
  ],
} as const;

export const ses = {
  name: 'ses',
  title: 'Amazon SES',
  documentation: [
    'https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html',
    'https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html',
    'https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html',
  ],
  http: {
    ...JSON_BY_POST,
    contentTypes: ['text/plain', 'application/json'],
    // SNS gives up on every 4xx and comes again on 5xx.
    answers: { later: 503, overRate: 503, unauthorized: 401 },
    // A message has at most 256 kB; JSON within JSON can double that.
    maxBodyBytes: 1_048_576,
  },
  credentials,
  verifier,
  split,
  normalize,
  headers: (item: Item) => headerPairs(objectOf(objectOf(objectOf(item.value).Message).mail).headers),
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      'Bounce (UnsubscribedRecipient, EmailValidationSuppressed)': 'dropped',
      'Bounce (out of office)': 'other',
      'Complaint (not-spam, or of several recipients)': 'other',
      'Subscription (opt-in)': 'subscribed',
    },
    proof: 'SNS: RSA with an X.509 certificate, versions 1 and 2',
    retries: '3 times, 20 s apart, unless the topic says otherwise; a 4xx answer is final',
    identity:
      'feedbackId of bounces and complaints, the same in both formats; else message, time and client of the event; always with the recipient',
    fills: {
      campaign: 'message tag `campaign`',
      stream: 'topic or list of a subscription',
      metadata: 'message tags, header `X-Metadata`',
      tags: 'header `X-Tag`',
      headers: 'all, if SES is told to include them',
    },
    limitations: [
      'Does not say who of several recipients opened or clicked: each is given the event.',
      'A complaint may list recipients who did not complain: of several, none is taken for the one who did, and the events are "other".',
      'Does not tell machine opens.',
      'Raw message delivery has no signature and is refused.',
    ],
    ignored: [
      'TopicArn',
      'Message.mail.sourceArn',
      'Message.mail.sourceIp',
      'Message.mail.callerIdentity',
      'Message.complaint.complaintSubType',
      'Message.mail.sendingAccountId',
      'Message.mail.headersTruncated',
      'Message.mail.headers[].*',
      'Message.mail.commonHeaders.*',
      'Message.mail.tags.*',
      'Message.mail.destination[]',
      'Message.mail.timestamp',
      'Message.bounce.bouncedRecipients[].action',
      'Message.bounce.reportingMTA',
      'Message.bounce.remoteMtaIp',
      'Message.complaint.userAgent',
      'Message.complaint.arrivalDate',
      'Message.delivery.processingTimeMillis',
      'Message.delivery.remoteMtaIp',
      'Message.delivery.reportingMTA',
      'Message.deliveryDelay.expirationTime',
      'Message.deliveryDelay.reportingMTA',
      'Message.click.linkTags.*',
      'Message.failure.templateName',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  checkSettings('ses', credentials, settings);
  const sns: SnsSettings = {
    topicArns: listOption(settings, 'topicArns'),
    certificates: mapOption(settings, 'certificates'),
    window: windowOf(settings, WINDOW_SECONDS),
  };
  const keys = new CertificateKeys();
  return { verify: (request: EspRequest, resources?: Resources) => verify(request, sns, keys, resources) };
}

function verify(
  request: EspRequest,
  sns: SnsSettings,
  keys: CertificateKeys,
  resources?: Resources,
): Verdict {
  const envelope = UnverifiedSns.of(request.body);
  if (!envelope) return { outcome: 'refused', code: 'BODY_UNREADABLE' };
  const verdict = verifySns(envelope, sns, keys, request.receivedAt, resources);
  if (verdict.outcome !== 'verified') return verdict;
  const handshake = snsHandshake(envelope);
  if (typeof handshake === 'string') return { outcome: 'refused', code: handshake };
  if (handshake) return { outcome: 'verified', handshake };
  const beginning = envelope.bytes('Message')?.toString('latin1', 0, LONGEST_NOTE) ?? '';
  return VALIDATION_NOTE.test(beginning)
    ? { outcome: 'verified', handshake: { kind: 'acknowledge', note: 'SES validated the topic' } }
    : verdict;
}
const LONGEST_NOTE = 64;

function split({ body }: EspRequest): readonly Item[] {
  const { type, messageId: id, timestamp, topicArn, message } = snsEnvelope(body);
  if (type === 'SubscriptionConfirmation' || type === 'UnsubscribeConfirmation') return [];
  if (type !== 'Notification') {
    throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is no SNS message');
  }
  if (VALIDATION_NOTE.test(message)) return [];
  const value = { MessageId: id, Timestamp: timestamp, TopicArn: topicArn, Message: parsed(message) };
  return [{ index: 0, value, text: message }];
}

/** The message as JSON; as text if it is none, which makes the item invalid and not the request. */
function parsed(message: string): unknown {
  try {
    return parseJson(message);
  } catch {
    return message;
  }
}

function normalize(item: Item): Iterable<EspEvent> {
  const envelope = itemObject(item.value);
  const message = envelope.Message;
  if (!isObject(message)) throw new Refusal('NORMALIZE_ITEM_INVALID', 'the SNS message is not a JSON object');
  const vendorType = required(firstText(message.eventType, message.notificationType), 'eventType');
  const mail = objectOf(message.mail);
  const headers = objectOf(mail.commonHeaders);
  const shared = {
    esp_event_type: vendorType,
    esp_event_id: text(envelope.MessageId),
    esp_message_id: text(mail.messageId),
    message_id: messageId(headers.messageId),
    sender: bareAddress(mail.source) || null,
    subject: text(headers.subject),
    campaign: tagsOf(objectOf(mail.tags).campaign)[0] ?? null,
    tags: headerTags(mail),
    metadata: messageMetadata(mail),
  };
  return each(readDetail(vendorType, message, item), (reading) => {
    const { recipient, time, identity, ...rest } = reading;
    return {
      ...shared,
      ...rest,
      recipient,
      // The mail's is when it was sent, SNS's when it was told: a moment after it happened.
      occurred_at: firstTime(time, reading.once ? mail.timestamp : null, envelope.Timestamp),
      identity: identity ?? identityOf(vendorType, reading, envelope, item),
    };
  });
}

/** Both formats report the same deliveries, under different SNS ids: the message and its time come first. */
function identityOf(
  vendorType: string,
  reading: Reading,
  envelope: JsonObject,
  item: Item,
): EspEvent['identity'] {
  const message = text(objectOf(objectOf(envelope.Message).mail).messageId);
  const time = typeof anyTime(reading.time) === 'number' ? text(reading.time) : null;
  if (message !== null && (time !== null || reading.once)) {
    return ['event', vendorType, message, time, reading.url, reading.ip, reading.user_agent, reading.scope];
  }
  const sns = text(envelope.MessageId);
  return sns === null ? ['item', item.text] : ['sns', sns, reading.scope];
}
