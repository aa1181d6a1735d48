import type { EmailDropped, EventType } from '@email-events/schemas';
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
import { bounceVerdict, type VendorWord } from '../reading/bounce.ts';
import { NO_ANSWER } from '../reading/bounce-table.ts';
import {
  bareAddress,
  itemObject,
  metadataOfText,
  recipientOf,
  required,
  tagsOf,
  text,
} from '../reading/fields.ts';
import { JsonItem, type JsonObject } from '../reading/json.ts';
import { anyTime, type ToldTime } from '../reading/time.ts';
import { CREDENTIAL_OPTIONS, credentialVerifier, DEFAULT_TOKEN_PARAMETER } from '../schemes/credentials.ts';

// Seen 2026-11: https://help.elasticemail.com/en/articles/4804685-notification-settings
// A newer kind of webhook (POST, signed) is configurable; what exactly it signs is not published, so it is not read.

const EVENT_TYPES = {
  Sent: 'delivered',
  Opened: 'opened',
  Clicked: 'clicked',
  Unsubscribed: 'unsubscribed',
  AbuseReport: 'complained',
  Error: 'bounced',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(
  Object.entries(EVENT_TYPES).map(([name, type]) => [name.toLowerCase(), type]),
);

interface ErrorMeaning extends VendorWord {
  /** Delivery was not attempted. */
  readonly drop?: EmailDropped['drop_reason'];
}

/** By `category` of an error. */
const CATEGORIES: { readonly [category: string]: ErrorMeaning } = {
  NoMailbox: { says: 'address', category: 'invalid_mailbox' },
  DNSProblem: { says: 'address', category: 'domain_not_found' },
  GreyListed: { says: 'soft', category: 'other' },
  Throttled: { says: 'soft', category: 'policy' },
  Timeout: { says: 'soft', category: 'timeout' },
  ConnectionProblem: { says: 'soft', category: 'timeout' },
  ConnectionTerminated: { says: 'soft', category: 'timeout' },
  WhitelistingProblem: { says: 'soft', category: 'policy' },
  // The sender's side: no fault of the address.
  Spam: { says: 'soft', category: 'spam' },
  BlackListed: { says: 'soft', category: 'policy' },
  ContentFilter: { says: 'soft', category: 'content' },
  SPFProblem: { says: 'soft', category: 'policy' },
  AccountProblem: { says: 'soft', category: 'other' },
  CodeError: { says: 'soft', category: 'other' },
  Ignore: { says: 'nothing', category: 'other' },
  Unknown: { says: 'nothing', category: 'other' },
  ManualCancel: { says: 'nothing', category: 'other', drop: 'other' },
  NotDelivered: { says: 'nothing', category: 'other', drop: 'other' },
};
const ERRORS: ReadonlyMap<string, ErrorMeaning> = new Map(
  Object.entries(CATEGORIES).map(([name, meaning]) => [name.toLowerCase(), meaning]),
);
const UNKNOWN_ERROR: ErrorMeaning = { says: 'nothing', category: 'other' };

const credentials = { secret: 'token in the query of the URL', options: CREDENTIAL_OPTIONS } as const;

export const elasticemail = {
  name: 'elasticemail',
  title: 'Elastic Email',
  documentation: ['https://help.elasticemail.com/en/articles/4804685-notification-settings'],
  http: {
    ...JSON_BY_POST,
    methods: ['GET'],
    contentTypes: [],
    mayDiscardRefused: true,
  },
  credentials,
  verifier,
  split,
  normalize,
  facts: {
    eventTypes: {
      ...EVENT_TYPES,
      ...Object.fromEntries(
        Object.entries(CATEGORIES).map(([name, { drop }]) => [`Error ${name}`, drop ? 'dropped' : 'bounced']),
      ),
    },
    proof: 'a token in the URL',
    retries: 'not published; after 1000 failures the notifications are switched off',
    identity: 'status, messageid, recipient, date, target and category: there is no event id',
    fills: { metadata: '`postback`', tags: '`channel`' },
    limitations: [
      'Signs nothing: a secret in the URL is the only proof, so keep the URL out of access logs.',
      'Says neither what the receiving server answered nor who opened with what; times are whole seconds.',
      'An unsubscribe tells no list.',
      'Signed webhooks by POST are not supported: what they sign is not published.',
    ],
    ignored: ['account', 'transaction', 'category'],
  },
} as const satisfies EspAdapter;

function verifier(settings: VerifierSettings): Verifier {
  const proof = credentialVerifier('elasticemail', credentials, settings, 'token');
  const secrets = new Set(proof.secretParameters);
  return {
    ...proof,
    verify(request) {
      const verdict = proof.verify(request);
      const isTest =
        verdict.outcome === 'verified' && parameters(request).every(([name]) => secrets.has(name));
      if (!isTest) return verdict;
      return { ...verdict, handshake: { kind: 'acknowledge', note: 'Elastic Email has tried the URL' } };
    },
  };
}

/** The event is the query. */
function split(request: EspRequest): readonly Item[] {
  // In the raw record the token has been blanked; it is no part of the event either way.
  const fields = parameters(request).filter(
    ([name, value]) => name !== DEFAULT_TOKEN_PARAMETER && value !== '***',
  );
  if (fields.length === 0) return [];
  if (new Set(fields.map(([name]) => name)).size < fields.length) {
    throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'a parameter is there twice');
  }
  return [new JsonItem(0, Object.fromEntries(fields))];
}

function parameters({ url }: EspRequest): [string, string][] {
  const start = url.indexOf('?');
  return start === -1 ? [] : [...new URLSearchParams(url.slice(start + 1))];
}

function normalize(item: Item): readonly EspEvent[] {
  const event = itemObject(item.value);
  const vendorType = required(event.status, 'status');
  const error = vendorType.toLowerCase() === 'error' ? errorOf(event) : null;
  const type = error?.drop ? 'dropped' : (TYPES.get(vendorType.toLowerCase()) ?? 'other');
  const occurredAt = timeOf(event.date);
  const message = text(event.messageid);
  return [
    {
      type,
      esp_event_type: vendorType,
      occurred_at: occurredAt,
      recipient: type === 'other' ? bareAddress(event.to) : recipientOf(event.to),
      identity:
        message === null || typeof occurredAt !== 'number'
          ? ['item', item.text]
          : ['event', message, occurredAt, text(event.target), error ? text(event.category) : null],
      esp_message_id: message,
      sender: bareAddress(event.from) || null,
      subject: text(event.subject),
      tags: tagsOf(event.channel),
      metadata: metadataOfText(event.postback, 'postback'),
      ...details(type, event, item),
    },
  ];
}

function details(type: EventType, event: JsonObject, item: Item): Partial<EspEvent> {
  const { drop, ...word } = errorOf(event);
  switch (type) {
    case 'bounced':
      return { ...bounceVerdict(NO_ANSWER, null, word), diagnostic: text(event.category) };
    case 'dropped':
      return { drop_reason: drop ?? 'other', diagnostic: text(event.category) };
    case 'clicked':
      return { url: text(event.target) };
    case 'unsubscribed':
      return { scope: 'all' };
    case 'other':
      return { payload: item.text };
    default:
      return {};
  }
}

function errorOf(event: JsonObject): ErrorMeaning {
  return ERRORS.get(text(event.category)?.toLowerCase() ?? '') ?? UNKNOWN_ERROR;
}

const AMERICAN = /^(\d{1,2})\/(\d{1,2})\/(\d{4}),? (\d{1,2}):(\d\d)(?::(\d\d))? ?([AP]M)?$/i;

/** UTC. The format is not documented; "11/2/2026 9:15:29 AM" was seen. */
function timeOf(value: unknown): ToldTime {
  const match = typeof value === 'string' ? AMERICAN.exec(value.trim()) : null;
  if (!match) return anyTime(value);
  const [, month = '', day = '', year = '', hour = '', minute = '', second = '00', half = ''] = match;
  const hours = half === '' ? Number(hour) : (Number(hour) % 12) + (half.toUpperCase() === 'PM' ? 12 : 0);
  const two = (part: string | number) => String(part).padStart(2, '0');
  const told = anyTime(`${year}-${two(month)}-${two(day)}T${two(hours)}:${minute}:${second}Z`);
  // A time that cannot be read is quoted as it came.
  return typeof told === 'number' ? told : anyTime(value);
}
