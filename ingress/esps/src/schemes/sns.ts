import { type KeyObject, verify, X509Certificate } from 'node:crypto';
import type { Handshake, RefusalCode, Resources, Verdict } from '../adapter.ts';
import { encodeForeign } from '../reading/foreign-bytes.ts';
import { type JsonObject, objectOf, parseBody } from '../reading/json.ts';
import { fromBase64 } from './encoding.ts';

// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html, seen 2026-11.

/** What Amazon SNS posts, with the fields of every message type. */
export interface SnsEnvelope {
  readonly type: string;
  readonly topicArn: string;
  readonly messageId: string;
  readonly message: string;
  readonly timestamp: string;
  readonly subscribeUrl: string;
  readonly certificateUrl: string;
  readonly signature: string;
  readonly signatureVersion: string;
  /** As received: the signature covers some of these. */
  readonly fields: JsonObject;
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
  const field = (...names: string[]) => {
    for (const name of names) {
      const value = fields[name];
      if (typeof value === 'string') return value;
    }
    return '';
  };
  return {
    type: field('Type'),
    topicArn: field('TopicArn'),
    messageId: field('MessageId'),
    message: field('Message'),
    timestamp: field('Timestamp'),
    // Lambda spells the URLs in its own way.
    subscribeUrl: field('SubscribeURL', 'SubscribeUrl'),
    certificateUrl: field('SigningCertURL', 'SigningCertUrl'),
    signature: field('Signature'),
    signatureVersion: field('SignatureVersion'),
    fields,
  };
}

/** The text that SNS signs; null for a message type that it does not know. */
export function snsSignedText(envelope: SnsEnvelope): string | null {
  const names = SIGNED_FIELDS.get(envelope.type);
  if (!names) return null;
  let signed = '';
  for (const name of names) {
    const value = name === 'SubscribeURL' ? envelope.subscribeUrl : envelope.fields[name];
    // An absent subject is not signed; some deliveries spell absent as null.
    if (typeof value === 'string' && (value !== '' || name !== 'SubscribeURL'))
      signed += `${name}\n${value}\n`;
  }
  return signed;
}

export interface SnsSettings {
  readonly topicArns: readonly string[];
  /** PEM by URL, given by configuration. */
  readonly certificates: ReadonlyMap<string, string>;
}

/**
 * Verifies an envelope. The topic comes first: a good signature proves only that some AWS account published this,
 * and nothing may be fetched for a stranger.
 */
export function verifySns(
  envelope: SnsEnvelope,
  settings: SnsSettings,
  keys: CertificateKeys,
  resources: Resources | undefined,
): Verdict {
  if (envelope.signature === '') return refused('SIGNATURE_MISSING');
  if (!settings.topicArns.includes(envelope.topicArn)) return refused('TOPIC_NOT_ALLOWED');
  const digest = DIGESTS.get(envelope.signatureVersion);
  const signature = fromBase64(envelope.signature);
  const signed = snsSignedText(envelope);
  if (!digest || !signature || signed === null) return refused('SIGNATURE_MALFORMED');
  const url = envelope.certificateUrl;
  if (!isAwsUrl(url, '.pem')) return refused('CERTIFICATE_URL_NOT_ALLOWED');
  const pem = settings.certificates.get(url) ?? resources?.get(url);
  if (pem === undefined) return { outcome: 'needs', url };
  const key = keys.keyOf(pem);
  if (!key) return refused('CERTIFICATE_UNUSABLE');
  return isSigned(digest, signed, key, signature) ? { outcome: 'verified' } : refused('SIGNATURE_WRONG');
}

/** What a verified confirmation asks for; undefined for a notification. */
export function snsHandshake(envelope: SnsEnvelope): Handshake | RefusalCode | undefined {
  if (envelope.type === 'UnsubscribeConfirmation') {
    // Its SubscribeURL would subscribe again.
    return { kind: 'acknowledge', note: 'the topic was unsubscribed' };
  }
  if (envelope.type !== 'SubscriptionConfirmation') return undefined;
  return isAwsUrl(envelope.subscribeUrl, '')
    ? { kind: 'visit', url: envelope.subscribeUrl, note: 'confirms the subscription of the topic' }
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

function isSigned(digest: string, signed: string, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(digest, encodeForeign(signed), key, signature);
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

function refused(code: RefusalCode): Verdict {
  return { outcome: 'refused', code };
}
