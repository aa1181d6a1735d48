import { constants, createVerify, type KeyObject, publicDecrypt, X509Certificate } from 'node:crypto';
import type { Handshake, RefusalCode, Resources, Verdict } from '../adapter.ts';
import { objectOf, parseBody } from '../reading/json.ts';
import { jsonFields, jsonStringBytes, type Span, stringAt } from './json-fields.ts';
import { stalenessAt, type Window } from './settings.ts';
import { fromBase64 } from './signatures.ts';

// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html, seen 2026-11.

/** An SNS message, as far as it is read. */
export interface SnsEnvelope {
  readonly type: string;
  readonly topicArn: string;
  readonly messageId: string;
  readonly message: string;
  readonly timestamp: string;
}

const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['1', 'RSA-SHA1'],
  ['2', 'RSA-SHA256'],
]);

// In the order in which they are signed.
const NOTIFICATION = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'];
const CONFIRMATION = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'];
const SIGNED_FIELDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['Notification', NOTIFICATION],
  ['SubscriptionConfirmation', CONFIRMATION],
  ['UnsubscribeConfirmation', CONFIRMATION],
]);

/**
 * SNS in a region of any partition: its DNS suffixes, as AWS's SDKs know them (partitions.json of the endpoint rules:
 * https://github.com/aws/aws-sdk-js-v3/blob/main/packages/util-endpoints/src/lib/aws/partitions.json, seen 2026-11).
 */
const PARTITION_SUFFIXES = [
  'amazonaws.com',
  'amazonaws.com.cn',
  // European Sovereign Cloud.
  'amazonaws.eu',
  // The isolated ones.
  'c2s.ic.gov',
  'sc2s.sgov.gov',
  'cloud.adc-e.uk',
  'csp.hci.ic.gov',
];
const AWS_HOST = new RegExp(
  `^sns\\.[a-zA-Z0-9-]{3,}\\.(?:${PARTITION_SUFFIXES.map((suffix) => suffix.replaceAll('.', '\\.')).join('|')})$`,
);

/** The body as an envelope. Throws Refusal if it is no JSON. */
export function snsEnvelope(body: Buffer): SnsEnvelope {
  const fields = objectOf(parseBody(body));
  const field = (name: string) => (typeof fields[name] === 'string' ? fields[name] : '');
  return {
    type: field('Type'),
    topicArn: field('TopicArn'),
    messageId: field('MessageId'),
    message: field('Message'),
    timestamp: field('Timestamp'),
  };
}

// Lambda spells the URLs in its own way.
const URL_SPELLINGS: ReadonlyMap<string, readonly string[]> = new Map([
  ['SubscribeURL', ['SubscribeURL', 'SubscribeUrl']],
  ['SigningCertURL', ['SigningCertURL', 'SigningCertUrl']],
]);
const LOOKED_FOR = [
  ...new Set([...NOTIFICATION, ...CONFIRMATION, ...[...URL_SPELLINGS.values()].flat()]),
  'Signature',
  'SignatureVersion',
];
/** Bytes of a field that is read as text; a certificate’s URL has about a hundred. */
const LONGEST_TEXT = 8_192;

/**
 * An envelope that is not verified yet: looked through once, its fields read one by one when they are needed. What is
 * found is what snsEnvelope reads of the same body (see jsonFields).
 */
export class UnverifiedSns {
  readonly #body: Buffer;
  readonly #spans: ReadonlyMap<string, Span>;

  private constructor(body: Buffer, spans: ReadonlyMap<string, Span>) {
    this.#body = body;
    this.#spans = spans;
  }

  /** Null: no JSON object, or one that has a field twice. */
  static of(body: Buffer): UnverifiedSns | null {
    const spans = jsonFields(body, LOOKED_FOR);
    return spans && new UnverifiedSns(body, spans);
  }

  /** A field’s text; empty if it is absent, no string, or longer than it can honestly be. */
  text(name: string): string {
    return stringAt(this.#body, this.#spanOf(name), LONGEST_TEXT) ?? '';
  }

  /** A field’s bytes, of any length; null if it is absent or no string. */
  bytes(name: string): Buffer | null {
    const span = this.#spanOf(name);
    return span ? jsonStringBytes(this.#body, span) : null;
  }

  #spanOf(name: string): Span | undefined {
    const spans = (URL_SPELLINGS.get(name) ?? [name]).map((spelling) => this.#spans.get(spelling));
    return spans.find((span) => span && this.#body[span.start] === 0x22);
  }
}

/** The bytes that SNS signs, in pieces; null for a message type that it does not know. */
export function snsSignedParts(envelope: UnverifiedSns): Buffer[] | null {
  const names = SIGNED_FIELDS.get(envelope.text('Type'));
  if (!names) return null;
  return names.flatMap((name) => {
    const value = envelope.bytes(name);
    // An absent subject is not signed; some deliveries spell absent as null.
    if (!value || (value.length === 0 && name === 'SubscribeURL')) return [];
    return [Buffer.from(`${name}\n`), value, NEW_LINE];
  });
}
const NEW_LINE = Buffer.from('\n');

export interface SnsSettings {
  readonly topicArns: readonly string[];
  /** PEM by URL, given by configuration. */
  readonly certificates: ReadonlyMap<string, string>;
  readonly window: Window;
}

/**
 * Verifies an envelope. The topic comes first: a good signature proves only that some AWS account published this,
 * and nothing may be fetched for a stranger.
 */
export function verifySns(
  envelope: UnverifiedSns,
  settings: SnsSettings,
  keys: CertificateKeys,
  receivedAt: number,
  resources: Resources | undefined,
): Verdict {
  const encoded = envelope.text('Signature');
  if (encoded === '') return refused('SIGNATURE_MISSING');
  if (!settings.topicArns.includes(envelope.text('TopicArn'))) return refused('TOPIC_NOT_ALLOWED');
  const digest = DIGESTS.get(envelope.text('SignatureVersion'));
  const signature = fromBase64(encoded);
  if (!digest || !signature || !SIGNED_FIELDS.has(envelope.text('Type')))
    return refused('SIGNATURE_MALFORMED');
  const signedAt = timeOf(envelope.text('Timestamp'));
  if (signedAt === null) return refused('TIMESTAMP_MALFORMED');
  const stale = stalenessAt(signedAt, receivedAt, settings.window);
  if (stale) return refused(stale, signedAt);
  const url = envelope.text('SigningCertURL');
  if (!isAwsUrl(url, '.pem')) return refused('CERTIFICATE_URL_NOT_ALLOWED');
  const pem = settings.certificates.get(url) ?? resources?.get(url);
  if (pem === undefined) return { outcome: 'needs', url };
  const key = keys.keyOf(pem);
  if (!key) return refused('CERTIFICATE_UNUSABLE');
  const isOurs = opens(signature, key) && isSigned(digest, snsSignedParts(envelope) ?? [], key, signature);
  return isOurs ? { outcome: 'verified' } : refused('SIGNATURE_WRONG', signedAt);
}

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/** Epoch milliseconds of a time as SNS writes it; null if it is none. */
function timeOf(timestamp: string): number | null {
  const time = TIMESTAMP.test(timestamp) ? Date.parse(timestamp) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}

/** The handshake that a verified confirmation asks for; undefined for a notification. */
export function snsHandshake(envelope: UnverifiedSns): Handshake | RefusalCode | undefined {
  const type = envelope.text('Type');
  if (type === 'UnsubscribeConfirmation') {
    // Its SubscribeURL would subscribe again.
    return { kind: 'acknowledge', note: 'the topic was unsubscribed' };
  }
  if (type !== 'SubscriptionConfirmation') return undefined;
  const url = envelope.text('SubscribeURL');
  return isAwsUrl(url, '')
    ? { kind: 'visit', url, note: 'confirms the subscription of the topic' }
    : 'SUBSCRIBE_URL_NOT_ALLOWED';
}

/** Public keys by certificate text: parsing costs more than verifying. Bounded, since the text comes from outside. */
export class CertificateKeys {
  private readonly keys = new Map<string, KeyObject | null>();

  /**
   * Null if the certificate cannot be read or is not RSA. Its dates are not checked: AWS replaces certificates long
   * before they expire, and what vouches for one is the TLS connection to the AWS host that it came from.
   */
  keyOf(pem: string): KeyObject | null {
    let key = this.keys.get(pem);
    if (key === undefined) {
      key = rsaKey(pem);
      if (this.keys.size >= MAX_KEYS) this.keys.clear();
      this.keys.set(pem, key);
    }
    return key;
  }
}
const MAX_KEYS = 32;

function rsaKey(pem: string): KeyObject | null {
  try {
    const { publicKey } = new X509Certificate(pem);
    return publicKey.asymmetricKeyType === 'rsa' ? publicKey : null;
  } catch {
    return null;
  }
}

/**
 * Whether the signature is one by this key, of any message: checks its padding, as verifying does later. This costs a hundredth of what
 * the message may cost, so that a sender of bytes that are no signature cannot make the ingress unescape and digest a message.
 */
function opens(signature: Buffer, key: KeyObject): boolean {
  try {
    return publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature).length > 0;
  } catch {
    return false;
  }
}

function isSigned(digest: string, signed: readonly Buffer[], key: KeyObject, signature: Buffer): boolean {
  try {
    const verifier = createVerify(digest);
    for (const part of signed) verifier.update(part);
    return verifier.verify(key, signature);
  } catch {
    return false;
  }
}

/** https on the SNS host of some region, default port, no credentials. */
function isAwsUrl(text: string, ending: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, port, username, password, pathname } = new URL(text);
  const plain = port === '' && username === '' && password === '';
  return protocol === 'https:' && plain && AWS_HOST.test(hostname) && pathname.endsWith(ending);
}

function refused(code: RefusalCode, signedAt?: number): Verdict {
  return { outcome: 'refused', code, ...(signedAt === undefined ? {} : { signedAt }) };
}
