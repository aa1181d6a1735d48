import { expect, test } from 'vitest';
import { BOUNCE_REASONS, BOUNCE_RULES, type BounceReason } from './bounce-reasons.ts';

/** As the rules are meant, without SQL: the first that fits. */
function reasonOf(status: string, words: string): BounceReason {
  const text = words.toLowerCase();
  const fits = (pattern: string | undefined, value: string) =>
    pattern === undefined || new RegExp(pattern).test(value);
  return BOUNCE_RULES.find((rule) => fits(rule.status, status) && fits(rule.text, text))?.reason ?? 'other';
}

/** What servers say; addresses and hosts are made up. */
test.each<[reason: BounceReason, status: string, words: string]>([
  [
    'invalid_mailbox',
    '5.1.1',
    '550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking',
  ],
  ['invalid_mailbox', '', '550 Requested action not taken: mailbox unavailable: user unknown'],
  ['invalid_mailbox', '5.5.0', '550 No such user here'],
  [
    'invalid_mailbox',
    '5.1.10',
    '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup',
  ],
  ['inactive_mailbox', '5.2.1', '550 5.2.1 The email account that you tried to reach is disabled'],
  ['mailbox_full', '4.2.2', '452 4.2.2 The recipient’s inbox is out of storage space'],
  ['mailbox_full', '', '552 mailbox quota exceeded'],
  ['too_large', '5.3.4', '552 5.3.4 Message size exceeds fixed limit'],
  ['too_large', '', '552 message too large'],
  ['authentication', '5.7.26', '550 5.7.26 This mail has been blocked because the sender is unauthenticated'],
  ['authentication', '5.7.1', '550 5.7.1 Email rejected per DMARC policy of shop.example'],
  [
    'reputation',
    '5.7.1',
    '550 5.7.1 Service unavailable; client host [192.0.2.1] blocked using zen.spamhaus.org',
  ],
  ['reputation', '', '421 low reputation of the sending IP'],
  ['rate_limited', '4.7.0', '421 4.7.0 Too many connections from your IP'],
  ['greylisted', '4.2.0', '450 4.2.0 Greylisted, please try again in 5 minutes'],
  ['spam', '5.7.1', '554 5.7.1 Message rejected as spam by content filtering'],
  ['content', '', '554 a virus was found'],
  ['relay', '5.7.1', '554 5.7.1 Relay access denied'],
  ['domain_not_found', '5.1.2', 'bad destination system'],
  ['domain_not_found', '', 'Host or domain name not found. Name service error'],
  ['timeout', '4.4.1', '451 4.4.1 connection timed out'],
  ['timeout', '4.4.7', 'delivery time expired'],
  ['policy', '5.7.1', '550 5.7.1 refused'],
  ['other', '', ''],
  ['other', '5.0.0', 'failed'],
])('%s: %s %s', (reason, status, words) => {
  expect(reasonOf(status, words)).toBe(reason);
});

test('every reason but the last has a rule, and every rule a condition', () => {
  const named = new Set(BOUNCE_RULES.map(({ reason }) => reason));
  expect(Object.keys(BOUNCE_REASONS).filter((reason) => !named.has(reason as BounceReason))).toEqual([
    'other',
  ]);
  expect(BOUNCE_RULES.filter(({ status, text }) => status === undefined && text === undefined)).toEqual([]);
});
