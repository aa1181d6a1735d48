import type { EspRequest, Resources, VerifierSettings } from '@email-events/esps';
import type { SnsInput, Speech } from './speech.ts';

/**
 * How one ESP is played: with which keys, how it signs, how it reports what happens, and what the contract suite must know
 * of it. One file for each ESP, beside its adapter and its fixtures. For tests, the simulator and benchmarks: no service imports it.
 */
export interface Account<Key = unknown> {
  readonly esp: string;
  /** The keys of a new account. They are plain JSON, so that they can be kept in a file. */
  newKey(): Key | Promise<Key>;
  signer(key: Key): Signer;
  readonly contract: Contract;
  readonly speech: Speech;
}

/** One account with its keys: makes requests as this ESP would send them. */
export interface Signer {
  readonly esp: string;
  /** The configuration of the source that receives these requests. */
  readonly settings: VerifierSettings;
  /** Documents that the verifier asks for (certificates of SES); empty for most. */
  readonly resources: Resources;
  sign(input: SignInput): EspRequest;
}

export interface SignInput {
  /**
   * The ESP's report before it is signed. For most this is the body · Mailgun: the body without its signature
   * (JSON, or a form if contentType says so) · Unisender Go: without its digest · SES: the SNS message · Mandrill: the
   * JSON list of events · Elastic Email: the query without its token.
   */
  readonly body: string | Buffer;
  /** Time of sending, epoch milliseconds; also the time of receipt unless receivedAt is given. */
  readonly at: number;
  readonly receivedAt?: number;
  /** Path and query. */
  readonly url?: string;
  readonly contentType?: string;
  /** Id of the message (webhook-id, SNS MessageId) or its token (Mailgun); made up if absent. */
  readonly id?: string;
  /** SES: other than a notification, from another topic, in the other signature version … */
  readonly sns?: SnsInput;
}

/** The verdicts and events that test/contracts expects of the adapter for requests of this account. */
export interface Contract extends Proof {
  /** The text that the account signs for one event of a@example.com. */
  readonly body: string;
  /** Fields in which the ESP says when something happened, and how it writes that. */
  readonly times: TimeFields;
  /** A permanent failure that the receiving server answered so. Null: the ESP passes nothing of the answer on. */
  readonly bounce: ((answer: ServerAnswer) => unknown) | null;
  /** The event of `body` twice in one request; absent: the ESP sends one event in a request. */
  readonly batch?: (body: string) => string;
  /** The only key that the ESP's metadata can have; absent: senders name their own. */
  readonly metadataKey?: string;
}

/** How a request proves that it is the ESP's, and what comes of one that does not. */
export interface Proof {
  /** The code for a changed body, or `unnoticed` where the body is not signed. */
  readonly tampered: 'SIGNATURE_WRONG' | 'unnoticed';
  /** The code for a body without its last byte, if it is not SIGNATURE_WRONG. */
  readonly truncated?: string;
  /** The signature is not of the bytes: another spelling of the same form passes, and so does a field that is not signed. */
  readonly rewritable?: true;
  readonly wrongKey: string;
  /** How old and how new a signed time may be, in milliseconds; null: none is signed, or it does not matter. */
  readonly window: { readonly past: number; readonly future: number } | null;
  /** Header, body field or query parameter without which nothing is proven. */
  readonly proof: RegExp;
  readonly missing: string;
  /** Each request has a token that must not come back with another body. */
  readonly replayToken: boolean;
  /** Any text can be its key, so only an empty one is certainly wrong. */
  readonly anyKey?: true;
}

export interface TimeFields {
  readonly names: readonly string[];
  readonly as: 'seconds' | 'text';
}

/** Of a bounce for ada@example.com: what the receiving server said, and when. */
export interface ServerAnswer {
  /** Reply code. */
  readonly code: number;
  /** Enhanced status, where the answer has one. */
  readonly status: string | null;
  /** The whole line. */
  readonly line: string;
  readonly to: string;
  /** The same time as unix seconds and in ISO 8601. */
  readonly at: number;
  readonly iso: string;
}
