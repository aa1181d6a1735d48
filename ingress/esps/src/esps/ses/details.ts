import type { EventType } from '@email-events/schemas';
import { type EspEvent, type Item, Refusal } from '../../adapter.ts';
import { bounceVerdict, type VendorWord } from '../../reading/bounce.ts';
import { smtpFacts } from '../../reading/bounce-table.ts';
import { bareAddress, each, firstText, metadataOf, metadataValue, text } from '../../reading/fields.ts';
import { isObject, type JsonObject, listOf, objectOf, parseJson } from '../../reading/json.ts';

/** The facts about one recipient, from the part of a message that belongs to its type. */
export type Reading = Partial<Omit<EspEvent, 'type' | 'recipient' | 'occurred_at' | 'identity'>> & {
  readonly type: EventType;
  readonly recipient: string;
  /** The event's own time; what happens once in a message's life has none, and that of the mail is its time. */
  readonly time?: unknown;
  /** Set where the vendor's id is the same in both formats. */
  readonly identity?: EspEvent['identity'];
  /** It happens once in a message's life, so the message identifies it. */
  readonly once?: boolean;
};

type Fragment = Omit<Reading, 'recipient'>;

/** By bounceType. */
const SAYS: ReadonlyMap<string, VendorWord['says']> = new Map([
  ['Permanent', 'hard'],
  ['Transient', 'soft'],
]);
/** By bounceSubType: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types, seen 2026-11. */
const SUB_TYPES: ReadonlyMap<string, VendorWord> = new Map<string, VendorWord>([
  ['NoEmail', { says: 'address', category: 'invalid_mailbox' }],
  ['MailboxFull', { category: 'mailbox_full' }],
  ['MessageTooLarge', { category: 'too_large' }],
  ['ContentRejected', { category: 'content' }],
  ['AttachmentRejected', { category: 'content' }],
  // Not delivered within the time that the sender had set.
  ['CustomTimeoutExceeded', { category: 'timeout' }],
]);

/** The meaning of SES's bounce type and subtype; Resend, which sends by way of SES, quotes both. */
export function sesWord(bounceType: string | null, subType: string | null): VendorWord {
  return { says: SAYS.get(bounceType ?? '') ?? 'nothing', ...SUB_TYPES.get(subType ?? '') };
}

export function readDetail(vendorType: string, message: JsonObject, item: Item): Iterable<Reading> {
  const mail = objectOf(message.mail);
  const toAll = (fragment: Fragment) => each(addressedTo(mail), (recipient) => ({ ...fragment, recipient }));
  switch (vendorType) {
    case 'Send':
      return toAll({ type: 'queued', once: true });
    case 'Delivery':
      return deliveries(objectOf(message.delivery));
    case 'DeliveryDelay':
      return delays(objectOf(message.deliveryDelay));
    case 'Bounce':
      return bounces(objectOf(message.bounce));
    case 'Complaint':
      return complaints(objectOf(message.complaint), mail, item);
    case 'Reject': {
      const reason = text(objectOf(message.reject).reason);
      return toAll({ type: 'dropped', drop_reason: 'content', diagnostic: reason, once: true });
    }
    case 'Rendering Failure':
    case 'RenderingFailure': {
      const error = text(objectOf(message.failure).errorMessage);
      return toAll({ type: 'dropped', drop_reason: 'content', diagnostic: error, once: true });
    }
    case 'Open':
      return toAll({ type: 'opened', ...client(objectOf(message.open)) });
    case 'Click': {
      const click = objectOf(message.click);
      return toAll({ type: 'clicked', ...client(click), url: text(click.link) });
    }
    case 'Subscription':
      return subscribers(objectOf(message.subscription), mail, item);
    default:
      // Inbound mail and types to come: whom they are about is not ours to guess.
      return [
        { type: 'other', recipient: '', payload: item.text, time: objectOf(message.receipt).timestamp },
      ];
  }
}

function addressedTo(mail: JsonObject): string[] {
  return named(listOf(mail.destination));
}

function named(addresses: readonly unknown[]): string[] {
  const recipients = addresses.map(bareAddress).filter((address) => address !== '');
  if (recipients.length === 0) {
    throw new Refusal('NORMALIZE_RECIPIENT_MISSING', 'the event names no recipient');
  }
  return recipients;
}

/** Recipients as objects, each with its address. */
function recipientObjects(list: unknown): { readonly recipient: string; readonly detail: JsonObject }[] {
  const details = listOf(list).map(objectOf);
  named(details.map((detail) => detail.emailAddress));
  return details
    .map((detail) => ({ recipient: bareAddress(detail.emailAddress), detail }))
    .filter(({ recipient }) => recipient !== '');
}

function deliveries(delivery: JsonObject): Iterable<Reading> {
  return each(named(listOf(delivery.recipients)), (recipient) => ({
    type: 'delivered',
    recipient,
    time: delivery.timestamp,
    smtp_response: text(delivery.smtpResponse),
  }));
}

function delays(delay: JsonObject): Iterable<Reading> {
  return each(recipientObjects(delay.delayedRecipients), ({ recipient, detail }) => ({
    type: 'deferred',
    recipient,
    time: delay.timestamp,
    ...failure(detail, text(delay.delayType)),
  }));
}

/** Suppressed and the like were not attempted, yet SES calls them permanent bounces, and of one recipient its verdict stands. */
function bounces(bounce: JsonObject): Iterable<Reading> {
  const subType = text(bounce.bounceSubType) ?? '';
  const word = sesWord(text(bounce.bounceType), subType);
  const id = text(bounce.feedbackId);
  const recipients = recipientObjects(bounce.bouncedRecipients);
  const drop = notAttempted(subType, recipients.length);
  return each(recipients, ({ recipient, detail }) => {
    const reported = failure(detail, subType || null);
    const shared = {
      recipient,
      time: bounce.timestamp,
      ...(id === null ? {} : { identity: ['feedback', id] }),
    };
    if (drop) {
      const { diagnostic } = reported;
      return { ...shared, type: 'dropped', drop_reason: drop, diagnostic, formerly: [{ type: 'bounced' }] };
    }
    const answer = text(detail.diagnosticCode);
    return {
      ...shared,
      type: 'bounced',
      ...bounceVerdict(smtpFacts(answer, undefined, detail.status), answer, word),
      ...reported,
    };
  });
}

const ON_A_LIST: ReadonlySet<string> = new Set(['OnAccountSuppressionList', 'OnTenantSuppressionList']);

/**
 * Why SES did not try, where that is no verdict on an address. UnsubscribedRecipient: the reader has left the contact
 * list or a topic of it, the event does not say which; the Subscription event did, and the one of coming back lifts that.
 * EmailValidationSuppressed: SES guesses that the address is bad. Of several recipients that are said to be on a
 * suppression list, each need not be.
 */
function notAttempted(subType: string, recipients: number): EspEvent['drop_reason'] {
  if (subType === 'UnsubscribedRecipient') return 'unsubscribed';
  if (subType === 'EmailValidationSuppressed') return 'invalid';
  return ON_A_LIST.has(subType) && recipients > 1 ? 'bounced' : null;
}

function failure(
  detail: JsonObject,
  otherwise: string | null,
): Pick<Reading, 'smtp_code' | 'enhanced_status' | 'diagnostic'> {
  const answer = text(detail.diagnosticCode);
  const smtp = smtpFacts(answer, undefined, detail.status);
  return { smtp_code: smtp.code, enhanced_status: smtp.enhanced, diagnostic: answer ?? otherwise };
}

/**
 * SES lists who *may* have complained: where the provider hides it, all recipients of its domain
 * (notification-contents.html, "Complained recipients"). Suppressing them all would lose all innocents but one.
 */
function complaints(complaint: JsonObject, mail: JsonObject, item: Item): Iterable<Reading> {
  const id = text(complaint.feedbackId);
  const feedback = text(complaint.complaintFeedbackType);
  const suspects = suspectsOf(complaint, mail);
  const unsent = ON_A_LIST.has(text(complaint.complaintSubType) ?? '');
  return each(suspects, (recipient) => {
    const shared = {
      recipient,
      time: complaint.timestamp,
      ...(id === null ? {} : { identity: ['feedback', id] }),
    };
    // The recipient took the message out of the spam folder: the reverse of a complaint, which must not suppress.
    if (feedback === 'not-spam') return { ...shared, type: 'other', payload: item.text };
    if (suspects.length === 1) return { ...shared, type: 'complained', feedback_type: feedback };
    const suspected = { ...shared, formerly: [{ type: 'complained' }] } as const;
    return unsent
      ? { ...suspected, type: 'dropped', drop_reason: 'complained' }
      : { ...suspected, type: 'other', payload: item.text };
  });
}

function suspectsOf(complaint: JsonObject, mail: JsonObject): string[] {
  const listed = recipientObjects(complaint.complainedRecipients).map(({ recipient }) => recipient);
  const addressed = new Set(listOf(mail.destination).map((address) => bareAddress(address).toLowerCase()));
  const sentTo = listed.filter((recipient) => addressed.has(recipient.toLowerCase()));
  return sentTo.length === 1 ? sentTo : [...new Set(listed)];
}

function client(detail: JsonObject): Pick<Reading, 'time' | 'user_agent' | 'ip'> {
  return { time: detail.timestamp, user_agent: text(detail.userAgent), ip: text(detail.ipAddress) };
}

/** SES does not say who it was; of several addressees, none is taken off a list by guess. */
function subscribers(subscription: JsonObject, mail: JsonObject, item: Item): Iterable<Reading> {
  const recipients = addressedTo(mail);
  const [recipient] = recipients;
  if (recipients.length > 1 || recipient === undefined) {
    const { timestamp: time } = subscription;
    return [{ type: 'other', recipient: '', time, payload: item.text }];
  }
  return each(subscriptions(subscription, item), (fragment) => ({ ...fragment, recipient }));
}

/** One reading for leaving or joining everything, else one for every topic whose choice changed. */
function subscriptions(subscription: JsonObject, item: Item): Fragment[] {
  const before = objectOf(subscription.oldTopicPreferences);
  const after = objectOf(subscription.newTopicPreferences);
  const shared = { time: subscription.timestamp, method: text(subscription.source) };
  const list = text(subscription.contactList);
  if (after.unsubscribeAll === true) {
    return [{ ...shared, type: 'unsubscribed', scope: 'all', stream: list }];
  }
  const changes: Fragment[] = [];
  if (before.unsubscribeAll === true)
    changes.push({ ...shared, type: 'subscribed', scope: 'all', stream: list });
  const old = new Map(topics(before));
  for (const [topic, status] of topics(after)) {
    if (old.get(topic) === status) continue;
    const type = status === 'OptOut' ? 'unsubscribed' : 'subscribed';
    changes.push({ ...shared, type, scope: topic, stream: topic });
  }
  return changes.length > 0 ? changes : [{ type: 'other', time: subscription.timestamp, payload: item.text }];
}

function topics(preferences: JsonObject): [topic: string, status: string][] {
  const read: [string, string][] = [];
  for (const entry of listOf(preferences.topicSubscriptionStatus)) {
    const { topicName, subscriptionStatus } = objectOf(entry);
    const topic = firstText(topicName);
    if (topic !== null) read.push([topic, text(subscriptionStatus) ?? '']);
  }
  return read;
}

// SES has tags with keys, so they are metadata. Plain tags and further metadata travel in headers, by a convention
// that several mail libraries share.
const TAG_HEADER = 'x-tag';
const METADATA_HEADER = 'x-metadata';
/** SES adds tags with this prefix to the sender's. */
const OWN_TAG = 'ses:';

export function headerTags(mail: JsonObject): string[] {
  return headerValues(mail, TAG_HEADER);
}

export function messageMetadata(mail: JsonObject): { [key: string]: string } {
  const metadata: { [key: string]: string } = {};
  for (const json of headerValues(mail, METADATA_HEADER)) Object.assign(metadata, metadataHeader(json));
  const tags = objectOf(mail.tags);
  for (const key of Object.keys(tags)) {
    if (key.startsWith(OWN_TAG)) continue;
    const values = tags[key];
    metadata[key] = metadataValue(Array.isArray(values) && values.length === 1 ? values[0] : values);
  }
  return metadata;
}

function metadataHeader(json: string): { [key: string]: string } {
  try {
    return metadataOf(parseJson(json));
  } catch {
    return {};
  }
}

function headerValues(mail: JsonObject, name: string): string[] {
  const values: string[] = [];
  for (const header of listOf(mail.headers)) {
    if (!isObject(header) || text(header.name)?.toLowerCase() !== name) continue;
    const value = text(header.value);
    if (value !== null) values.push(value);
  }
  return values;
}
