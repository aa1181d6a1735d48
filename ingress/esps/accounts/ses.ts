import 'reflect-metadata';
import { createPrivateKey, KeyObject, randomUUID, sign, webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import { decodeForeign, encodeForeign } from '../src/reading/foreign-bytes.ts';
import type { Account, SignInput, SnsInput } from './kit/account.ts';
import { HOUR, inText, post, SIGNED_BODY } from './kit/signing.ts';

const HOST = 'https://sns.eu-west-1.amazonaws.com';
const DEFAULTS: Required<Omit<SnsInput, 'subject'>> = {
  type: 'Notification',
  topicArn: 'arn:aws:sns:eu-west-1:123456789012:email-events',
  signatureVersion: '2',
  certificateUrl: `${HOST}/SimpleNotificationService-0123456789abcdef.pem`,
  subscribeUrl: `${HOST}/?Action=ConfirmSubscription&Token=0123456789`,
};

/** Of an SNS topic; both in PEM. */
interface SesKey {
  readonly privateKey: string;
  readonly certificate: string;
}

/** An SNS topic with an RSA key and a certificate that it has signed itself. */
export const ses = {
  esp: 'ses',
  newKey: selfSigned,
  signer({ privateKey: pem, certificate }) {
    const privateKey = createPrivateKey(pem);
    return {
      esp: 'ses',
      settings: { secrets: [], options: { topicArns: [DEFAULTS.topicArn] } },
      resources: new Map([[DEFAULTS.certificateUrl, certificate]]),
      sign(input) {
        const fields = envelopeFields(input);
        const digest = fields.SignatureVersion === '1' ? 'RSA-SHA1' : 'RSA-SHA256';
        const signature = sign(digest, signedText(fields), privateKey).toString('base64');
        const body = encodeForeign(unescaped(JSON.stringify({ ...fields, Signature: signature })));
        return post({ contentType: 'text/plain; charset=UTF-8', ...input }, body, {
          'x-amz-sns-message-type': fields.Type,
          'x-amz-sns-topic-arn': fields.TopicArn,
        });
      },
    };
  },
  contract: {
    ...SIGNED_BODY,
    rewritable: true,
    body: '{"eventType":"Send","mail":{"timestamp":"2026-11-02T09:15:29.000Z","messageId":"m","destination":["a@example.com"]}}',
    window: { past: 25 * HOUR, future: 300_000 },
    proof: /"Signature":"[^"]*"/,
    times: inText('timestamp'),
    bounce: ({ status, line, to, iso }) => ({
      eventType: 'Bounce',
      mail: { messageId: 'm', timestamp: iso, destination: [to] },
      bounce: {
        ...{ bounceType: 'Permanent', bounceSubType: 'General', feedbackId: 'f', timestamp: iso },
        bouncedRecipients: [
          { emailAddress: to, status: status ?? undefined, diagnosticCode: `smtp; ${line}` },
        ],
      },
    }),
  },
} satisfies Account<SesKey>;

function envelopeFields(input: SignInput) {
  const sns: SnsInput & typeof DEFAULTS = { ...DEFAULTS, ...input.sns };
  const fields = {
    Type: sns.type,
    MessageId: input.id ?? randomUUID(),
    TopicArn: sns.topicArn,
    ...(sns.subject === undefined ? {} : { Subject: sns.subject }),
    Message: decodeForeign(Buffer.from(input.body)),
    Timestamp: new Date(input.at).toISOString(),
    SignatureVersion: sns.signatureVersion,
    SigningCertURL: sns.certificateUrl,
  };
  return sns.type === 'Notification'
    ? fields
    : { ...fields, Token: '0123456789', SubscribeURL: sns.subscribeUrl };
}

/** https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html: names and values in this order. */
const SIGNED_OF_NOTIFICATIONS = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'];
const SIGNED_OF_OTHERS = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'];

function signedText(fields: { readonly [name: string]: string | null }): Buffer {
  const names = fields.Type === 'Notification' ? SIGNED_OF_NOTIFICATIONS : SIGNED_OF_OTHERS;
  return encodeForeign(
    names.map((name) => ((fields[name] ?? null) === null ? '' : `${name}\n${fields[name]}\n`)).join(''),
  );
}

/** JSON.stringify writes a byte that is no UTF-8 as an escape; on the wire it is that byte. */
function unescaped(json: string): string {
  return json.replace(/\\udc[89a-f][0-9a-f]/g, (escaped) => JSON.parse(`"${escaped}"`) as string);
}

async function selfSigned(): Promise<SesKey> {
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=sns.amazonaws.com',
    notBefore: new Date(0),
    notAfter: new Date('2100-01-01'),
    signingAlgorithm: algorithm,
    keys,
  });
  const privateKey = KeyObject.from(keys.privateKey).export({ format: 'pem', type: 'pkcs8' });
  return { privateKey: privateKey.toString(), certificate: certificate.toString('pem') };
}
