import type { EmailDropped, EventType } from '@email-events/schemas';
import {
  type EspAdapter,
  EspConfigError,
  type EspEvent,
  type EspRequest,
  type Item,
  JSON_BY_POST,
  Refusal,
  type SourceOptions,
  type VerifierSettings,
} from '../adapter.ts';
import { PUBLISHED_ADDRESSES } from '../published-addresses.ts';
import { bounceVerdict, type VendorWord } from '../reading/bounce.ts';
import { smtpFacts } from '../reading/bounce-table.ts';
import {
  addressList,
  bareAddress,
  each,
  firstText,
  itemObject,
  messageId,
  metadataOfText,
  pairs,
  recipientOf,
  required,
  tagsOf,
  tagsOfText,
  text,
} from '../reading/fields.ts';
import { isObject, JsonItem, type JsonObject, listOf, objectOf, parseBody } from '../reading/json.ts';
import { firstTime, type ToldTime } from '../reading/time.ts';
import { CREDENTIAL_OPTIONS, credentialVerifier } from '../schemes/credentials.ts';

// Seen 2026-11: https://developers.brevo.com/docs/transactional-webhooks and /docs/marketing-webhooks

const EVENT_TYPES = {
  request: 'queued',
  delivered: 'delivered',
  deferred: 'deferred',
  soft_bounce: 'bounced',
  hard_bounce: 'bounced',
  invalid_email: 'bounced',
  blocked: 'dropped',
  error: 'dropped',
  unique_opened: 'opened',
  opened: 'opened',
  unique_proxy_open: 'opened',
  proxy_open: 'opened',
  click: 'clicked',
  spam: 'complained',
  complaint: 'complained',
  unsubscribed: 'unsubscribed',
  unsubscribe: 'unsubscribed',
  list_addition: 'subscribed',
  contact_updated: 'other',
  contact_deleted: 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(Object.entries(EVENT_TYPES));
const WORDS: { readonly [vendorType: string]: VendorWord } = {
  soft_bounce: { says: 'soft' },
  hard_bounce: { says: 'hard' },
  invalid_email: { says: 'address', category: 'invalid_mailbox' },
};
const BY_PROXY: ReadonlySet<string> = new Set(['proxy_open', 'unique_proxy_open']);

const DROP_REASONS: readonly (readonly [RegExp, EmailDropped['drop_reason']])[] = [
  [/unsubscri/i, 'unsubscribed'],
  [/spam|complain/i, 'complained'],
  [/bounce/i, 'bounced'],
  [/invalid/i, 'invalid'],
];

const SCOPE_OPTION = 'unsubscribeScope';
const credentials = {
  secret: 'user:password of Basic authentication',
  options: [
    ...CREDENTIAL_OPTIONS,
    {
      name: SCOPE_OPTION,
      required: false,
      description:
        'what the link of a campaign leaves: `all` mail, which is the default, or `list`, if Brevo has enabled list-based unsubscription for the account',
    },
  ],
} as const;

export const brevo = {
  name: 'brevo',
  title: 'Brevo (Sendinblue)',
  documentation: [
    'https://developers.brevo.com/docs/transactional-webhooks',
    'https://developers.brevo.com/docs/marketing-webhooks',
    'https://developers.brevo.com/docs/how-to-use-webhooks',
  ],
  http: {
    ...JSON_BY_POST,
    // Any 5xx, and any 4xx but this one, throws the event away.
    answers: { later: 429, overRate: 429, unauthorized: 401 },
    maxBodyBytes: 2_097_152,
    maxEvents: 500,
    addresses: PUBLISHED_ADDRESSES.brevo,
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      'contact_updated (emailBlacklist true)': 'unsubscribed',
      'contact_updated (emailBlacklist false)': 'subscribed',
    },
    proof: 'Basic authentication, a header, or a token in the URL',
    retries:
      '4 times, after 10 min, 1 h, 2 h and 8 h, for time-outs and 429 only; other 4xx and any 5xx discard the event',
    identity:
      'type, message-id, recipient, time, link and client: there is no event id (id is the webhook’s)',
    fills: {
      campaign: '`campaign name`, else `camp_id`',
      stream: '`list_id`',
      metadata: '`X-Mailin-custom`',
      tags: '`tags`, `tag`',
    },
    limitations: [
      'Signs nothing: Basic authentication, a token or a header of one’s own is the only proof.',
      'A request that is refused, for a wrong password too, is lost: Brevo does not send it again.',
      'An event that tells its time as local text alone is read as UTC.',
      'Does not say whether the link of a campaign left all mail or its lists: all, unless option unsubscribeScope is list.',
    ],
    ignored: [
      'id',
      'key',
      'date',
      'date_sent',
      'date_event',
      'ts',
      'ts_sent',
      'ts_event',
      's_epoch',
      'contact_id',
      'device_used',
      'mirror_link',
      'sending_ip',
      'template_id',
      'camp_id',
      'tag',
      'reason',
      'user_agent',
      'ip',
    ],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings) {
  const scope = settings.options[SCOPE_OPTION];
  if (scope !== undefined && scope !== 'all' && scope !== 'list') {
    throw new EspConfigError(`option ${SCOPE_OPTION} must be "all" or "list"`);
  }
  return credentialVerifier('brevo', credentials, settings);
}

/** Beyond it an event of a campaign is not recognised as one that was told before version 2 of the identities. */
const FORMER_LISTS = 20;

/** One event, or (batched) a list of them. */
function split({ body }: EspRequest): readonly Item[] {
  const parsed = parseBody(body);
  if (Array.isArray(parsed)) return parsed.map((event, index) => new JsonItem(index, event));
  if (isObject(parsed)) return [new JsonItem(0, parsed)];
  throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is neither an object nor a list');
}

function normalize(item: Item, _request: EspRequest, options: SourceOptions = {}): Iterable<EspEvent> {
  const event = itemObject(item.value);
  const vendorType = required(event.event, 'event');
  const choices = vendorType === 'contact_updated' ? blocklistChoices(event, item) : [];
  if (choices.length > 0) return choices;
  const type = TYPES.get(vendorType) ?? 'other';
  const occurredAt = timeOf(event);
  const message = messageId(event['message-id']);
  const url = firstText(event.link, event.URL);
  const shared: Omit<EspEvent, 'recipient'> = {
    type,
    esp_event_type: vendorType,
    occurred_at: occurredAt,
    identity:
      message === null || typeof occurredAt !== 'number'
        ? ['item', item.text]
        : // Not the name of the type: the first open was reported as "opened" and "unique_opened".
          [
            'event',
            BY_PROXY.has(vendorType) ? 'proxy' : null,
            message,
            occurredAt,
            url,
            text(event.user_agent),
          ],
    esp_message_id: message,
    message_id: message,
    sender: bareAddress(firstText(event.sender_email, event.from)) || null,
    subject: text(event.subject),
    campaign: firstText(event['campaign name'], event.camp_id),
    tags: tags(event),
    metadata: metadataOfText(event['X-Mailin-custom'], 'X-Mailin-custom'),
    ...details(type, vendorType, event, item),
  };
  const recipients = recipientsOf(type, event);
  if (type !== 'unsubscribed' && type !== 'subscribed')
    return each(recipients, (recipient) => ({ ...shared, recipient }));
  const [scopes, list] = [scopesOf(type, event, options), onlyList(event)];
  // Earlier versions made each list a separate scope, for any setup of the account.
  const lists = tagsOf(event.list_id).slice(0, FORMER_LISTS);
  const formerly = lists.map((scope) => ({ identity: [...shared.identity, scope] }));
  return pairs(recipients, scopes, (recipient, scope) => ({
    ...shared,
    recipient,
    scope,
    ...(scope === 'all' && formerly.length > 0 ? { formerly } : {}),
    stream: scope === 'all' ? list : scope,
    identity: [...shared.identity, scope],
  }));
}

/**
 * Put on the blocklist of the account, or taken from it: by hand, a form, an import or the API, outside of any mail.
 * An entry for each contact, with the fields that changed.
 */
function blocklistChoices(event: JsonObject, item: Item): EspEvent[] {
  const entries = isObject(event.content) ? [event.content] : listOf(event.content).map(objectOf);
  return entries
    .filter(({ emailBlacklist }) => typeof emailBlacklist === 'boolean')
    .map(({ email, emailBlacklist }) => ({
      type: emailBlacklist === true ? 'unsubscribed' : 'subscribed',
      esp_event_type: 'contact_updated',
      occurred_at: timeOf(event),
      recipient: recipientOf(email ?? event.email),
      identity: ['item', item.text],
      formerly: [{ type: 'other', recipient: bareAddress(event.email) }],
      scope: 'all',
      method: 'blocklist',
    }));
}

function timeOf(event: JsonObject): ToldTime {
  // ts_epoch is UTC and to the millisecond; the others are seconds, and were seen in the account's zone.
  return firstTime(event.ts_epoch, event.s_epoch, event.ts_event, event.ts, event.date);
}

function details(type: EventType, vendorType: string, event: JsonObject, item: Item): Partial<EspEvent> {
  switch (type) {
    case 'deferred':
      return failure(event);
    case 'bounced':
      return {
        ...bounceVerdict(smtpFacts(text(event.reason)), text(event.reason), WORDS[vendorType]),
        ...failure(event),
      };
    case 'dropped': {
      const { diagnostic } = failure(event);
      const known = DROP_REASONS.find(([pattern]) => pattern.test(diagnostic ?? ''));
      return { drop_reason: known?.[1] ?? 'other', diagnostic };
    }
    case 'opened':
      return { ...client(event), is_machine: BY_PROXY.has(vendorType) ? true : null };
    case 'clicked':
      return { ...client(event), url: firstText(event.link, event.URL) };
    case 'unsubscribed':
    case 'subscribed':
      return client(event);
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function failure(event: JsonObject) {
  // Some reasons begin with a space.
  const diagnostic = text(event.reason)?.trim() || null;
  const { code, enhanced } = smtpFacts(diagnostic);
  return { smtp_code: code, enhanced_status: enhanced, diagnostic };
}

function client(event: JsonObject) {
  return { user_agent: text(event.user_agent), ip: text(event.ip) };
}

/** `tags` is a list; `tag`, from older ways of sending, is one tag or a list written as text. */
function tags(event: JsonObject): string[] {
  const list = tagsOf(event.tags);
  return list.length > 0 ? list : tagsOfText(event.tag);
}

/** The list that a campaign went to, if it was one. */
function onlyList(event: JsonObject): string | null {
  const lists = tagsOf(event.list_id);
  return lists.length === 1 ? (lists[0] ?? null) : null;
}

/** Events of contacts name several at a time. */
function recipientsOf(type: EventType, event: JsonObject): string[] {
  if (Array.isArray(event.email)) {
    const addresses = addressList(event.email);
    if (addresses.length > 0) return addresses;
  }
  return [type === 'other' ? bareAddress(event.email) : recipientOf(event.email)];
}

/**
 * A link in a campaign puts the contact on the blocklist for all campaigns, not only for the lists that the campaign was
 * sent to, unless the account has list-based unsubscription. A contact joins a list alone.
 */
function scopesOf(type: EventType, event: JsonObject, options: SourceOptions): string[] {
  const lists = tagsOf(event.list_id);
  if (type === 'unsubscribed' && (lists.length === 0 || options[SCOPE_OPTION] !== 'list')) return ['all'];
  if (lists.length > 0) return lists;
  throw new Refusal('NORMALIZE_ITEM_INVALID', 'list_id is missing');
}
