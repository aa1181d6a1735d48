import { createPrivateKey, KeyObject, randomUUID, sign, webcrypto } from 'node:crypto';
import { decodeForeign, encodeForeign } from '../src/reading/foreign-bytes.ts';
import type { Account, SignInput } from './kit/account.ts';
import { HOUR, inText, post, SIGNED_BODY } from './kit/signing.ts';
import {
  campaignOf,
  type Draft,
  type Entry,
  metadataOf,
  type SnsInput,
  variantOf,
  type WriteContext,
} from './kit/speech.ts';
import type { Message, Step, StepDetail } from './kit/story.ts';

// Seen 2026-11: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
// https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html; the signature:
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
const EVENTS = {
  ...{
    queued: 'Send',
    delivered: 'Delivery',
    deferred: 'DeliveryDelay',
    bounced: 'Bounce',
    dropped: 'Reject',
  },
  ...{ opened: 'Open', clicked: 'Click', complained: 'Complaint', other: 'Received' },
  ...{ unsubscribed: 'Subscription', subscribed: 'Subscription' },
} as const;

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
  speech: {
    use: { rank: 3, share: 0.17, campaigns: 0.6 },
    silentOn: ['other'],
    leaves: ['all', 'stream'],
    returns: ['all', 'stream'],
    severalAddressees: true,
    signsOwnTime: true,
    inTwoFormats: true,
    names: (step) => ({
      campaign: campaignOf(step),
      // A tag like any other, which is what a variant is looked for in.
      variant: variantOf(step),
      scope: step.detail.scope === 'stream' ? step.message.programme.stream : step.detail.scope,
    }),
    draft: envelope,
    // The envelope carries the signature, so it is the message in it that cannot be read.
    garbage: ({ runId, random }) => ({
      code: 'NORMALIZE_ITEM_INVALID',
      body: random.pick([`{"eventType":"Delivery","mail":{"messageId":"${runId}-`, 'plain text']),
    }),
    badEvents,
    forged: (request) => ({
      ...request,
      body: Buffer.from(request.body.toString('latin1').replace('"Message":"', '"Message":" '), 'latin1'),
    }),
    event,
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

/** The library is loaded on demand: it is needed once in an account's life. */
async function selfSigned(): Promise<SesKey> {
  await import('reflect-metadata');
  const { X509CertificateGenerator } = await import('@peculiar/x509');
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

/** The SNS message around the event. */
function envelope(message: string | Buffer, { random, at }: WriteContext): Draft {
  const id = random.uuid();
  const body = random.chance(0.3) ? `${message}\n` : message;
  // Topics sign by version 1 unless they are told otherwise.
  const signatureVersion = random.chance(0.5) ? '1' : '2';
  const subject = random.chance(0.4) ? { subject: 'Amazon SES Email Event Notification' } : {};
  return { id, body, at, sns: { signatureVersion, ...subject } };
}

/**
 * Of a transactional message the mail server's feedback is told in the older format, or in both: the same bounce
 * twice, with the same feedbackId. Only the newer format has tags, hence the campaign.
 */
function event({ step, again }: Entry, { runId }: WriteContext): object {
  const { message, type } = step;
  const inBoth = type === 'bounced' || type === 'complained' || type === 'delivered';
  const older = inBoth && message.programme.kind === 'transactional' && (message.index % 3 === 0) !== again;
  return {
    [older ? 'notificationType' : 'eventType']: EVENTS[type],
    mail: mailOf(step, runId, older),
    ...details(step),
  };
}

function mailOf(step: Step, runId: string, older: boolean): object {
  const { message } = step;
  const { programme, variant } = message;
  const metadata = metadataOf(step, runId);
  const tags = programme.kind === 'campaign' ? { campaign: [programme.name], variant: [variant.name] } : {};
  return {
    timestamp: time(message.sentAt),
    source: `Shop <${programme.sender}>`,
    sendingAccountId: '123456789012',
    messageId: message.id,
    destination: message.addressees.map(({ address }) => address),
    headersTruncated: false,
    headers: [
      { name: 'X-Metadata', value: JSON.stringify(metadata) },
      ...programme.tags.map((value) => ({ name: 'X-Tag', value })),
    ],
    commonHeaders: {
      from: [programme.sender],
      subject: variant.subject,
      messageId: `<${message.id}@eu-west-1.amazonses.com>`,
    },
    ...(older
      ? {}
      : {
          tags: {
            'ses:operation': ['SendEmail'],
            'ses:configuration-set': ['default'],
            run: [runId],
            ...tags,
          },
        }),
  };
}

function details(step: Step): object {
  const { message, detail, at } = step;
  const { client, url } = detail;
  const seen = { ipAddress: client?.ip, userAgent: client?.userAgent, timestamp: time(at) };
  switch (step.type) {
    case 'queued':
      return { send: {} };
    case 'delivered':
      return {
        delivery: {
          timestamp: time(at),
          processingTimeMillis: 812,
          recipients: addresses(message),
          smtpResponse: '250 2.0.0 OK',
        },
      };
    case 'deferred':
      return {
        deliveryDelay: {
          timestamp: time(at),
          delayType: 'TransientCommunicationFailure',
          delayedRecipients: failed(message, detail),
        },
      };
    case 'bounced':
      return { bounce: { ...bounce(detail), ...feedback(step), bouncedRecipients: failed(message, detail) } };
    case 'complained':
      return {
        complaint: {
          ...feedback(step),
          complaintFeedbackType: 'abuse',
          complainedRecipients: addresses(message).map((emailAddress) => ({ emailAddress })),
        },
      };
    case 'dropped':
      return { reject: { reason: 'Bad content' } };
    case 'opened':
      return { open: seen };
    case 'clicked':
      return { click: { ...seen, link: url, linkTags: null } };
    default:
      return { subscription: subscription(step) };
  }
}

const addresses = (message: Message) => message.addressees.map(({ address }) => address);
const feedback = ({ at, id, message }: Step) => ({ timestamp: time(at), feedbackId: `${message.id}-${id}` });
const time = (at: number) => new Date(at).toISOString();

function bounce({ failure }: StepDetail): object {
  if (failure?.bounceClass === 'hard') return { bounceType: 'Permanent', bounceSubType: 'General' };
  return {
    bounceType: 'Transient',
    bounceSubType: failure?.category === 'mailbox_full' ? 'MailboxFull' : 'General',
  };
}

function failed(message: Message, { failure }: StepDetail): object[] {
  return addresses(message).map((emailAddress) => ({
    ...{
      emailAddress,
      action: failure?.bounceClass === 'hard' ? 'failed' : 'delayed',
      status: failure?.status,
    },
    diagnosticCode: `smtp; ${failure?.text}`,
  }));
}

function subscription({ type, detail, message, at }: Step): object {
  const left = type === 'unsubscribed';
  const preferences = (out: boolean) => ({
    unsubscribeAll: detail.scope === 'all' && out,
    topicSubscriptionStatus: [
      {
        topicName: message.programme.stream,
        subscriptionStatus: detail.scope === 'stream' && out ? 'OptOut' : 'OptIn',
      },
    ],
  });
  return {
    ...{ contactList: 'customers', timestamp: time(at), source: 'UnsubscribeHeader' },
    ...{ newTopicPreferences: preferences(left), oldTopicPreferences: preferences(!left) },
  };
}

function badEvents({ runId, requestIndex, at }: WriteContext) {
  const destination = [`bad${requestIndex}.${runId}@gmail.example`];
  const mail = { messageId: `${runId}-bad-${requestIndex}`, timestamp: time(at), destination };
  return [
    [
      'NORMALIZE_RECIPIENT_INVALID',
      {
        eventType: 'Delivery',
        mail,
        delivery: { recipients: [`\u0007${destination[0]}`], timestamp: time(at) },
      },
    ],
    [
      'NORMALIZE_RECIPIENT_MISSING',
      { eventType: 'Open', mail: { ...mail, destination: [] }, open: { timestamp: time(at) } },
    ],
    ['NORMALIZE_ITEM_INVALID', { mail, open: { timestamp: time(at) } }],
  ] as const;
}
