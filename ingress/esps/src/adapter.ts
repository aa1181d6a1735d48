import type { EmailEvent, EventType } from '@email-events/schemas';
import { CodedError } from '@email-events/schemas/errors';
import type { FieldMapping, FieldOrigins } from './field-paths.ts';
import type { PublishedAddresses } from './published-addresses.ts';

/**
 * One ESP as the pipeline knows it: how the ESP signs (verify) and what it says (split, normalize).
 * Pure: no I/O, no clock, no environment. Same input, same output. By way of the verdict, an adapter asks
 * the caller for what needs the outside world (fetching a certificate, remembering a token).
 */
export interface EspAdapter {
  /** Slug: file name, fixture folder, `esp` field. */
  readonly name: string;
  /** Name as the vendor writes it. */
  readonly title: string;
  /** Pages the facts were taken from. */
  readonly documentation: readonly string[];
  readonly http: HttpFacts;
  /** The secrets and options that it needs in order to verify: for start-up checks, for documentation and for `inspect`. */
  readonly credentials: CredentialFacts;
  /**
   * Parses keys once, at start. Throws EspConfigError with a message for the operator if a secret or an option
   * is missing, empty or unusable: a source that cannot verify must not start.
   */
  verifier(settings: VerifierSettings): Verifier;
  /**
   * Cuts a request's body into items, in order. Throws Refusal if the body as a whole cannot be read.
   * No items (a test request, an empty batch) is fine.
   */
  split(request: EspRequest): readonly Item[];
  /**
   * Reads one item. Several events when it names several recipients; none when it says nothing about a message
   * (a destination check). Unknown types are `other`. Throws Refusal if it cannot be read. The source's options may say
   * how the account is set up, where no event does. Where an item multiplies (recipients by lists, say), its events are made one by one as
   * the caller takes them, since it may not take them all.
   */
  normalize(item: Item, request: EspRequest, options?: SourceOptions): Iterable<EspEvent>;
  /**
   * Headers of the message that the ESP reports, if it does, for a source whose `fields` name one. Reads what is there and throws for
   * nothing: an item that is none has none.
   */
  headers?(item: Item): Iterable<readonly [name: string, value: string]>;
  /** More facts about the ESP: for documentation, and for the `unmapped` check of the contract suite. */
  readonly facts: EspFacts;
}

/** A request as received, or as read back from email.raw (then with the kept headers only). */
export interface EspRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Lower-case names; repeated headers joined by ", ". */
  readonly headers: { readonly [name: string]: string | undefined };
  readonly body: Buffer;
  /** Epoch milliseconds. The only clock an adapter sees. */
  readonly receivedAt: number;
}

export interface HttpFacts {
  /** Methods that carry events. */
  readonly methods: readonly ('POST' | 'GET')[];
  /** Methods answered 200 without verification because the ESP probes the URL with them. */
  readonly probes: readonly ('GET' | 'HEAD')[];
  /** Accepted media types of the body; empty: any. */
  readonly contentTypes: readonly string[];
  /** Ways in which the ESP compresses bodies, if its customer chooses so; what it signs is the body before that. */
  readonly contentEncodings?: readonly 'gzip'[];
  /** Headers (lower case) that normalize needs, so they are kept in the raw record; content-type always is. */
  readonly keepHeaders: readonly string[];
  /** Statuses as this ESP understands them. */
  readonly answers: {
    /** "Come again": it retries on this one. */
    readonly later: number;
    /** Too many requests: 429 unless this ESP discards on that one. */
    readonly overRate?: number;
    /** "Wrong signature": 401 unless this ESP needs another. */
    readonly unauthorized: number;
    /** WWW-Authenticate for 401, where the ESP sends credentials only when asked. */
    readonly challenge?: string;
  };
  /** It is not documented that the ESP sends a request again that was answered "come again": a limit can cost its events. */
  readonly mayDiscardRefused?: true;
  /**
   * The largest request that the ESP sends, body in bytes: as documented, or as large as the most events of one request come to with
   * ample fields. A source takes as much by default. Absent: 1 MiB is plenty.
   */
  readonly maxBodyBytes?: number;
  /** Most events in one request, as documented; absent: one, or not documented. */
  readonly maxEvents?: number;
  /** Published sender addresses; a default an operator may use, never enforced by itself. */
  readonly addresses?: PublishedAddresses;
}

/** How most ESPs send: JSON by POST, again after a 503. An adapter says what its ESP does differently. */
export const JSON_BY_POST = {
  methods: ['POST'],
  probes: [],
  contentTypes: ['application/json'],
  keepHeaders: [],
  answers: { later: 503, unauthorized: 401 },
} as const satisfies HttpFacts;

export interface CredentialFacts {
  /** One secret described in words: "public key, base64 SPKI". Null: the ESP has no secret (SES). */
  readonly secret: string | null;
  /** It is a public key: a reader of it can verify, and sign nothing. */
  readonly isPublic?: true;
  readonly options: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly description: string;
  }[];
}

export interface VerifierSettings {
  /** All valid secrets, newest first: rotation without downtime. */
  readonly secrets: readonly string[];
  /** Values are strings, lists of strings or maps of strings, as the adapter's credentials say. */
  readonly options: SourceOptions;
}

export type SourceOptions = { readonly [name: string]: unknown };

/** How the events of a source are read, besides what its ESP says. */
export interface SourceReading {
  readonly options?: SourceOptions | undefined;
  /** Where campaign, variant, stream and user are from. Default: DEFAULT_MAPPING. */
  readonly fields?: FieldMapping | undefined;
  /** Is told where those of an event were found; for `inspect`. */
  readonly noted?: ((event: EspEvent, origins: FieldOrigins) => void) | undefined;
}

export interface Verifier {
  /** Never throws: malformed input is a refusal. `resources` holds what an earlier verdict asked for. */
  verify(request: EspRequest, resources?: Resources): Verdict;
  /** Query parameters whose value is a secret: the caller blanks them in what it keeps and logs. */
  readonly secretParameters?: readonly string[];
}

/** Fetched documents by URL. */
export type Resources = ReadonlyMap<string, string>;

export type Verdict =
  | {
      readonly outcome: 'verified';
      /** Set when the request is no carrier of events but part of setting up the webhook. */
      readonly handshake?: Handshake;
      /** A single-use token: the caller refuses it when it comes back with another body. */
      readonly replayToken?: string;
    }
  /** `signedAt`: when it says that it was signed, where it does, whether that is true or not; epoch milliseconds, for the log. */
  | { readonly outcome: 'refused'; readonly code: RefusalCode; readonly signedAt?: number }
  /** Ask again with this document. The adapter has checked that the URL can only lead to the vendor. */
  | { readonly outcome: 'needs'; readonly url: string };

export type Handshake =
  /** Nothing to do but answer 200. */
  | { readonly kind: 'acknowledge'; readonly note: string }
  /** GET this URL (already checked), then answer 200. */
  | { readonly kind: 'visit'; readonly url: string; readonly note: string };

/** Why a request was not verified. The log and `inspect` show it; the sender does not see it. */
export const REFUSAL_CODES = [
  'SIGNATURE_MISSING',
  'SIGNATURE_MALFORMED',
  'SIGNATURE_WRONG',
  'TIMESTAMP_MALFORMED',
  'TIMESTAMP_STALE',
  'TIMESTAMP_IN_FUTURE',
  'CREDENTIALS_MISSING',
  'CREDENTIALS_WRONG',
  'TOPIC_NOT_ALLOWED',
  'CERTIFICATE_URL_NOT_ALLOWED',
  'CERTIFICATE_UNUSABLE',
  'SUBSCRIBE_URL_NOT_ALLOWED',
  'TEST_SECRET_NOT_ALLOWED',
  'BODY_UNREADABLE',
  'TOKEN_REPLAYED',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** One vendor event cut out of a request. */
export interface Item {
  /** Position in the request, from 0. */
  readonly index: number;
  /** Parsed JSON (or form) value. Integers beyond 2^53 are strings or bigint, never rounded. */
  readonly value: unknown;
  /** The text that it was cut out of may have bytes that are no UTF-8 where the body as a whole does not show it (a form). */
  readonly suspect?: boolean;
  /** Its text, for dead letters and `other` payloads. May be a getter: it is only read when it is needed. */
  readonly text: string;
}

/** One event as an adapter reads it; the pipeline adds ids and origin (see toEmailEvent). Absent and null mean the same. */
export type EspEvent = {
  readonly type: EventType;
  readonly esp_event_type: string;
  /** Epoch milliseconds, or what the ESP said instead of a time that can be read: then the time of receipt stands in. */
  readonly occurred_at: number | UnreadTime;
  /** Bare address (no display name), empty if the event has no recipient. */
  readonly recipient: string;
  /**
   * The values that make it *that* event, after ESP, type and recipient: the vendor's event id where it can be trusted,
   * else natural keys. Two different events never share it; every copy of one event does. A time is a key only where it was
   * read, and the time of receipt never is: else all of the item takes the place of the natural keys.
   */
  readonly identity: Identity;
  /**
   * Readings of the same item by earlier versions of the mapping, where they gave another id. An absent field was as it is now.
   */
  readonly formerly?: readonly FormerReading[];
  /** Who the recipient is to the sender, where the ESP knows: `metadata.user` of a source that asks for it. */
  readonly user?: string | null;
} & { readonly [K in SpokenField]?: EmailEvent[K] | undefined };

export interface FormerReading {
  readonly type?: EventType;
  readonly recipient?: string;
  readonly identity?: Identity;
}

export type Identity = readonly (string | number | null | undefined)[];

/** A time that is missing or cannot be read. */
export interface UnreadTime {
  /** The ESP's text, cut to 100 characters; null if it said nothing. */
  readonly said: string | null;
}

type SpokenField = Exclude<
  keyof EmailEvent,
  | 'type'
  | 'esp_event_type'
  | 'occurred_at'
  | 'occurred_at_source'
  | 'occurred_at_said'
  | 'recipient'
  | 'recipient_domain'
  | 'event_id'
  | 'esp'
  | 'source'
  | 'account'
  | 'known_as'
  | 'received_at'
  | 'request_id'
  | 'raw_partition'
  | 'raw_offset'
  | 'item_index'
>;

/** A body or an item that cannot be read. Its code goes to the dead letter. */
export class Refusal extends CodedError<NormalizeCode> {
  override readonly name = 'Refusal';
}

export const NORMALIZE_CODES = [
  /** The body is not what the content type says (broken JSON, no list …). */
  'NORMALIZE_BODY_UNREADABLE',
  /** The item is no object, is not UTF-8, or lacks what every event of this ESP has. */
  'NORMALIZE_ITEM_INVALID',
  'NORMALIZE_RECIPIENT_MISSING',
  /** The recipient holds a control character. */
  'NORMALIZE_RECIPIENT_INVALID',
  /** The adapter failed in an unforeseen way. */
  'NORMALIZE_UNEXPECTED',
  /** The request is beyond its budget, as a whole. */
  'NORMALIZE_TOO_MANY_ITEMS',
  'NORMALIZE_TOO_MANY_EVENTS',
  'NORMALIZE_OUTPUT_TOO_LARGE',
] as const;
export type NormalizeCode = (typeof NORMALIZE_CODES)[number];

/** A source's secrets or options cannot be used; the message names the option, never the value. */
export class EspConfigError extends CodedError<'CONFIG_INVALID'> {
  override readonly name = 'EspConfigError';

  constructor(message: string, options?: ErrorOptions) {
    super('CONFIG_INVALID', message, options);
  }
}

export interface EspFacts {
  /** Vendor type → canonical type, as shown in the feature matrix. */
  readonly eventTypes: { readonly [vendorType: string]: EventType };
  /** The proof of a request: the algorithm, and what it covers. */
  readonly proof: string;
  /** How the ESP retries, in words. */
  readonly retries: string;
  /** Which field identifies an event, in words. */
  readonly identity: string;
  /**
   * The fields that its events fill by themselves, with the vendor's names: for the table, and for the check of a source's `fields`.
   * A field that is not here is in no event of this ESP. `headers` goes with the adapter's function of that name.
   */
  readonly fills: { readonly [name in FilledName]?: string };
  /** Facts that this ESP cannot tell. */
  readonly limitations: readonly string[];
  /** Paths in an item's value that are known but left out on purpose: dotted, list elements as `[]`, a subtree as `path.*`. */
  readonly ignored: readonly string[];
}

export const FILLED_NAMES = ['campaign', 'variant', 'stream', 'user', 'metadata', 'tags', 'headers'] as const;
export type FilledName = (typeof FILLED_NAMES)[number];
