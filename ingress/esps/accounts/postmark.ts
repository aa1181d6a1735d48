import type { Account } from './kit/account.ts';
import { BASIC_PROOF, basicAuthentication, inText } from './kit/signing.ts';
import { addressOf, metadataOf, type WriteContext } from './kit/speech.ts';
import type { Step } from './kit/story.ts';

// Seen 2026-11: https://postmarkapp.com/developer/webhooks/webhooks-overview
const RECORD_TYPES = {
  ...{ queued: 'Sent', delivered: 'Delivery', deferred: 'Bounce', bounced: 'Bounce', dropped: 'Bounce' },
  ...{ opened: 'Open', clicked: 'Click', complained: 'SpamComplaint', other: 'Inbound' },
  ...{ unsubscribed: 'SubscriptionChange', subscribed: 'SubscriptionChange' },
} as const;

/** Postmark numbers its bounces by 64-bit integers; these exceed what a double holds. */
const FIRST_ID = 9_100_000_000_000_000_000n;

export const postmark = {
  ...basicAuthentication('postmark'),
  contract: {
    ...BASIC_PROOF,
    body: '{"RecordType":"Open","Recipient":"a@example.com","ReceivedAt":"2026-11-02T09:15:29Z","MessageID":"m"}',
    times: inText('BouncedAt', 'DeliveredAt', 'ReceivedAt', 'ChangedAt', 'Date'),
    bounce: ({ line, to, iso }) => ({
      ...{ RecordType: 'Bounce', Type: 'HardBounce', ID: 1, MessageID: 'm', Email: to, BouncedAt: iso },
      Details: `smtp;${line}`,
    }),
  },
  speech: {
    use: { rank: 4, share: 0.14, campaigns: 0.25 },
    silentOn: ['queued', 'other'],
    leaves: ['stream'],
    returns: ['stream'],
    inTwoFormats: true,
    names: ({ message: { programme }, detail }) => ({
      scope: detail.scope === undefined ? undefined : programme.stream,
    }),
    body: ([record]) => withLongNumbers(record),
    garbage: ({ runId, random }) => ({
      code: 'NORMALIZE_BODY_UNREADABLE',
      body: random.pick([`{"RecordType":"Delivery","MessageID":"${runId}-`, `["${runId}"]`]),
    }),
    badEvents,
    event({ step, again }, { runId }) {
      const { message } = step;
      // A hard bounce or a complaint is told a second time, as the suppression that follows from it.
      const reason = again ? repeated(step) : undefined;
      return {
        ...(hasId(step, reason) ? { ID: FIRST_ID + BigInt(step.id) } : {}),
        RecordType: reason === undefined ? RECORD_TYPES[step.type] : 'SubscriptionChange',
        MessageStream: message.programme.stream,
        MessageID: message.id,
        ServerID: 23,
        Tag: message.programme.tags[0] ?? '',
        Metadata: metadataOf(step, runId),
        ...(reason === undefined ? details(step) : suppression(step, reason)),
      };
    },
  },
} satisfies Account<string>;

/** JSON in which a bigint is a number. */
function withLongNumbers(record: unknown): string {
  const text = JSON.stringify(record, (_key, value) =>
    typeof value === 'bigint' ? `bigint ${value}` : value,
  );
  return text.replace(/"bigint (\d+)"/g, '$1');
}

function repeated({ type, detail }: Step): string | undefined {
  if (type === 'complained') return 'SpamComplaint';
  return type === 'bounced' && detail.failure?.bounceClass === 'hard' ? 'HardBounce' : undefined;
}

const hasId = ({ type }: Step, reason: string | undefined) =>
  reason === undefined &&
  (type === 'bounced' || type === 'deferred' || type === 'dropped' || type === 'complained');

function details(step: Step): object {
  const { client, url, failure } = step.detail;
  const { message } = step;
  const opened = {
    UserAgent: client?.userAgent,
    Client: { Name: 'Browser' },
    OS: {},
    Platform: 'Mobile',
    Geo: { IP: client?.ip },
  };
  switch (step.type) {
    case 'delivered':
      return { Recipient: addressOf(step), DeliveredAt: time(step.at), Details: '250 2.0.0 OK' };
    case 'deferred':
      return { ...bounce(step), Type: 'Transient', TypeCode: 2 };
    case 'bounced':
      return failure?.bounceClass === 'hard'
        ? { ...bounce(step), Type: 'HardBounce', TypeCode: 1, Inactive: true }
        : { ...bounce(step), Type: 'SoftBounce', TypeCode: 4096, Inactive: false };
    case 'dropped':
      return { ...bounce(step), Type: 'ManuallyDeactivated', TypeCode: 100_002, Inactive: true };
    case 'complained':
      return { ...bounce(step), Type: 'SpamComplaint', TypeCode: 512, Inactive: true };
    case 'opened':
      return { Recipient: addressOf(step), ReceivedAt: time(step.at), FirstOpen: true, ...opened };
    case 'clicked':
      return {
        Recipient: addressOf(step),
        ReceivedAt: time(step.at),
        OriginalLink: url,
        ClickLocation: 'HTML',
        ...opened,
      };
    case 'unsubscribed':
      return suppression(step, 'ManualSuppression');
    case 'subscribed':
      return { ...suppression(step, null), SuppressSending: false };
    default:
      return { Recipient: addressOf(step), Subject: message.variant.subject };
  }
}

function bounce(step: Step): object {
  const { failure } = step.detail;
  return {
    ...{
      Name: step.type,
      Email: addressOf(step),
      From: step.message.programme.sender,
      BouncedAt: time(step.at),
    },
    ...{ Description: 'See details.', Details: failure ? `smtp;${failure.text}` : '' },
    ...{ Subject: step.message.variant.subject, DumpAvailable: false, CanActivate: true },
  };
}

function suppression(step: Step, reason: string | null): object {
  return {
    ...{ Recipient: addressOf(step), ChangedAt: time(step.at), Origin: 'Recipient' },
    ...{ SuppressSending: true, SuppressionReason: reason },
  };
}

/** Up to seven fractional digits, as .NET writes them. */
const time = (at: number) => new Date(at).toISOString().replace('Z', '0000Z');

function badEvents({ runId, requestIndex, at }: WriteContext) {
  const record = {
    RecordType: 'Delivery',
    MessageID: `${runId}-bad-${requestIndex}`,
    Metadata: { run: runId },
  };
  const Recipient = `bad${requestIndex}.${runId}@gmail.example`;
  return [
    ['NORMALIZE_RECIPIENT_INVALID', { ...record, Recipient: `\u0007${Recipient}`, DeliveredAt: time(at) }],
    ['NORMALIZE_RECIPIENT_MISSING', { ...record, DeliveredAt: time(at) }],
  ] as const;
}
