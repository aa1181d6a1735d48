import { createPrivateKey, createSign } from 'node:crypto';
import type { Message, Step, StepDetail } from '../lifecycle.ts';
import { bytesOf, type Draft, type Entry, metadataOf, type Sender, type WriteContext } from './sender.ts';

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

export const ses: Sender = {
  esp: 'ses',
  batchSize: () => 1,
  write: (entries, context) => envelope(context, JSON.stringify(messageOf(entries, context))),
  signer,
  names: ({ message: { programme, variant }, detail }) => ({
    campaign: programme.kind === 'campaign' ? programme.name : undefined,
    // A tag like any other, which is what a variant is looked for in.
    variant: programme.kind === 'campaign' ? variant.name || undefined : undefined,
    scope: detail.scope === 'stream' ? programme.stream : detail.scope,
  }),
  // The envelope carries the signature, so it is the message in it that cannot be read.
  garbage: (context) => ({
    code: 'NORMALIZE_ITEM_INVALID',
    draft: envelope(
      context,
      context.random.pick([`{"eventType":"Delivery","mail":{"messageId":"${context.runId}-`, 'plain text']),
    ),
  }),
  badItem(_entries, context) {
    const [code, message] = context.random.pick(badMessages(context));
    return { code, draft: envelope(context, JSON.stringify(message)) };
  },
};

/** The body that SNS posts, without topic, certificate and signature. */
function envelope({ random, at }: WriteContext, message: string): Draft {
  const id = random.uuid();
  const fields = {
    MessageId: id,
    Message: random.chance(0.3) ? `${message}\n` : message,
    Timestamp: new Date(at).toISOString(),
    // Topics sign by version 1 unless they are told otherwise.
    SignatureVersion: random.chance(0.5) ? '1' : '2',
    ...(random.chance(0.4) ? { Subject: 'Amazon SES Email Event Notification' } : {}),
  };
  return { id, body: JSON.stringify(fields) };
}

/**
 * Of a transactional message the mail server's feedback is told in the older format, or in both: the same bounce
 * twice, with the same feedbackId. Only the newer format has tags, hence the campaign.
 */
function messageOf(entries: readonly Entry[], { runId }: WriteContext): object {
  const entry = entries[0];
  if (!entry) return {};
  const { step, again } = entry;
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

function badMessages({ runId, requestIndex, at }: WriteContext) {
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

const SIGNED_KEYS = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'] as const;

function signer({ ses: { privateKey, certificateUrl, topicArn } }: Parameters<Sender['signer']>[0]) {
  const key = createPrivateKey(privateKey);
  return (draft: Draft, _now: number, flaw?: string) => {
    const fields = JSON.parse(draft.body.toString()) as { [name: string]: string };
    const signed: { [name: string]: string | undefined } = {
      Type: 'Notification',
      TopicArn: topicArn,
      ...fields,
    };
    const text = SIGNED_KEYS.filter((name) => signed[name] !== undefined).map(
      (name) => `${name}\n${signed[name]}\n`,
    );
    if (flaw === 'wrong') text.push(' ');
    const algorithm = fields.SignatureVersion === '2' ? 'RSA-SHA256' : 'RSA-SHA1';
    const Signature = createSign(algorithm).update(text.join('')).sign(key, 'base64');
    const proof = { Signature, SigningCertURL: certificateUrl };
    const body = { ...signed, ...(flaw === 'missing' ? {} : proof) };
    return {
      body: bytesOf(JSON.stringify(body, null, 2)),
      headers: {
        'content-type': 'text/plain; charset=UTF-8',
        'user-agent': 'Amazon Simple Notification Service Agent',
        'x-amz-sns-message-type': 'Notification',
        'x-amz-sns-message-id': draft.id,
        'x-amz-sns-topic-arn': topicArn,
      },
    };
  };
}
