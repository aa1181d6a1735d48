import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const at = '2026-11-02T09:15:29.000Z';
const mail = (...destination: string[]) => ({ messageId: 'm', timestamp: at, destination });
const told = (message: object) =>
  read('ses', {
    Type: 'Notification',
    MessageId: 's',
    Timestamp: at,
    Message: JSON.stringify(message),
  }).events.map(({ type, recipient, drop_reason, bounce_class, scope }) =>
    [type, recipient, drop_reason ?? bounce_class ?? scope].filter((part) => part !== undefined).join(' '),
  );
const [A, B] = ['a@example.com', 'b@example.com'];

const bounce = (bounceType: string, bounceSubType: string, diagnosticCode?: string, ...to: string[]) => ({
  eventType: 'Bounce',
  mail: mail(A, B),
  bounce: {
    ...{ bounceType, bounceSubType, timestamp: at, feedbackId: 'f' },
    bouncedRecipients: (to.length > 0 ? to : [A]).map((emailAddress) => ({ emailAddress, diagnosticCode })),
  },
});
const complaint = (destination: string[], to: string[], more = {}) => ({
  eventType: 'Complaint',
  mail: mail(...destination),
  complaint: {
    ...{ timestamp: at, feedbackId: 'f', complaintFeedbackType: 'abuse', ...more },
    complainedRecipients: to.map((emailAddress) => ({ emailAddress })),
  },
});
const UNSENT = { complaintSubType: 'OnAccountSuppressionList' };

describe('a bounce', () => {
  it('is none where the recipient had opted out: SES did not send', () => {
    expect(told(bounce('Permanent', 'UnsubscribedRecipient'))).toEqual([`dropped ${A} unsubscribed`]);
  });

  it('is none where SES guesses that the address is bad', () => {
    expect(told(bounce('Permanent', 'EmailValidationSuppressed'))).toEqual([`dropped ${A} invalid`]);
  });

  it.each(['Out of office: back on Monday', 'Automatic reply: thank you', 'I am on annual leave until May'])(
    'is none where an answering machine says %s',
    (words) => {
      expect(told(bounce('Transient', 'General', words))).toEqual([`other ${A}`]);
      expect(told(bounce('Transient', 'General', `smtp; 550 5.0.0 ${words}`))).toEqual([`bounced ${A} soft`]);
    },
  );

  it('of the account’s suppression list suppresses the one it names, and of several nobody', () => {
    expect(told(bounce('Permanent', 'OnAccountSuppressionList'))).toEqual([`bounced ${A} hard`]);
    expect(told(bounce('Permanent', 'OnAccountSuppressionList', undefined, A, B))).toEqual([
      `dropped ${A} bounced`,
      `dropped ${B} bounced`,
    ]);
  });
});

describe('a complaint', () => {
  it('is of the one whom it names, or whom alone the message was for', () => {
    expect(told(complaint([A, B], [A]))).toEqual([`complained ${A}`]);
    expect(told(complaint([A], [A, B]))).toEqual([`complained ${A}`]);
    expect(told(complaint(['A@Example.com'], [A, B]))).toEqual([`complained ${A}`]);
    expect(told(complaint([A], [A], UNSENT))).toEqual([`complained ${A}`]);
  });

  it('is of nobody where it may be of several', () => {
    expect(told(complaint([A, B], [A, B]))).toEqual([`other ${A}`, `other ${B}`]);
    expect(told(complaint([A, B], [A, B], UNSENT))).toEqual([
      `dropped ${A} complained`,
      `dropped ${B} complained`,
    ]);
  });
});

it('takes nobody off a list by guess', () => {
  const left = (...destination: string[]) => ({
    eventType: 'Subscription',
    mail: mail(...destination),
    subscription: { timestamp: at, newTopicPreferences: { unsubscribeAll: true } },
  });
  expect(told(left(A))).toEqual([`unsubscribed ${A} all`]);
  expect(told(left(A, B))).toEqual(['other ']);
});
