import 'reflect-metadata';
import { KeyObject, randomUUID, sign, webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import { decodeForeign, encodeForeign } from '../reading/foreign-bytes.ts';
import { snsSignedParts, UnverifiedSns } from '../schemes/sns.ts';
import { post, type Signer, type SignInput, type SnsInput } from './signer.ts';

const HOST = 'https://sns.eu-west-1.amazonaws.com';
const DEFAULTS: Required<Omit<SnsInput, 'subject'>> = {
  type: 'Notification',
  topicArn: 'arn:aws:sns:eu-west-1:123456789012:email-events',
  signatureVersion: '2',
  certificateUrl: `${HOST}/SimpleNotificationService-0123456789abcdef.pem`,
  subscribeUrl: `${HOST}/?Action=ConfirmSubscription&Token=0123456789`,
};

/** An SNS topic with an RSA key and a self-signed certificate of its own. */
export async function sesSigner(): Promise<Signer> {
  const { pem, privateKey } = await selfSigned();
  return {
    esp: 'ses',
    settings: { secrets: [], options: { topicArns: [DEFAULTS.topicArn] } },
    resources: new Map([[DEFAULTS.certificateUrl, pem]]),
    sign(input) {
      const fields = envelopeFields(input);
      const unsigned = UnverifiedSns.of(encodeForeign(unescaped(JSON.stringify(fields))));
      const signed = Buffer.concat((unsigned && snsSignedParts(unsigned)) ?? []);
      const digest = fields.SignatureVersion === '1' ? 'RSA-SHA1' : 'RSA-SHA256';
      const signature = sign(digest, signed, privateKey).toString('base64');
      const body = encodeForeign(unescaped(JSON.stringify({ ...fields, Signature: signature })));
      return post({ contentType: 'text/plain; charset=UTF-8', ...input }, body, {
        'x-amz-sns-message-type': fields.Type,
        'x-amz-sns-topic-arn': fields.TopicArn,
      });
    },
  };
}

/** JSON.stringify writes a byte that is no UTF-8 as an escape; on the wire it is that byte. */
function unescaped(json: string): string {
  return json.replace(/\\udc[89a-f][0-9a-f]/g, (escaped) => JSON.parse(`"${escaped}"`) as string);
}

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

async function selfSigned(): Promise<{ pem: string; privateKey: KeyObject }> {
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
  return { pem: certificate.toString('pem'), privateKey: KeyObject.from(keys.privateKey) };
}
