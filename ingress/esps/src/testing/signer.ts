import type { EspRequest, Resources, VerifierSettings } from '../adapter.ts';

/**
 * Plays one ESP account: has its keys and makes requests as this ESP would send them.
 * For tests, the simulator and benchmarks.
 */
export interface Signer {
  readonly esp: string;
  /** What the source that receives these requests must be configured with. */
  readonly settings: VerifierSettings;
  /** What the verifier asks to be fetched (certificates of SES); empty for most. */
  readonly resources: Resources;
  sign(input: SignInput): EspRequest;
}

export interface SignInput {
  /**
   * What the ESP reports, before it is signed: SendGrid, Postmark and standard-webhooks: the body ·
   * Mailgun: the body without its signature (JSON, or a form if contentType says so) · SES: the SNS message ·
   * Mandrill: the JSON list of events.
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

export interface SnsInput {
  readonly type?: 'Notification' | 'SubscriptionConfirmation' | 'UnsubscribeConfirmation';
  readonly topicArn?: string;
  /** Undefined: no such field. Null: as Lambda writes an absent one. */
  readonly subject?: string | null;
  readonly signatureVersion?: '1' | '2';
  readonly certificateUrl?: string;
  readonly subscribeUrl?: string;
}

export const NO_RESOURCES: Resources = new Map();

/** A POST with what every ESP sends. */
export function post(
  input: SignInput,
  body: Buffer,
  headers: { readonly [name: string]: string },
): EspRequest {
  return {
    method: 'POST',
    url: input.url ?? '/',
    headers: { 'content-type': input.contentType ?? 'application/json', ...headers },
    body,
    receivedAt: input.receivedAt ?? input.at,
  };
}

/** The unix time of a request in whole seconds, as text. */
export function seconds(input: SignInput): string {
  return String(Math.floor(input.at / 1000));
}
