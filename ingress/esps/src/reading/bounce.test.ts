import { describe, expect, it } from 'vitest';
import { bounceVerdict } from './bounce.ts';
import { NO_ANSWER, smtpFacts } from './bounce-table.ts';

describe('SMTP answers', () => {
  it.each([
    ['550 5.1.1 The email account does not exist', 550, '5.1.1', 'hard', 'invalid_mailbox'],
    ['smtp; 550 5.1.1 <ada@example.com>: user unknown', 550, '5.1.1', 'hard', 'invalid_mailbox'],
    ['smtp;452 4.2.2 over quota', 452, '4.2.2', 'soft', 'mailbox_full'],
    ['552 5.2.2 mailbox is full', 552, '5.2.2', 'soft', 'mailbox_full'],
    ['554 5.7.1 blocked using spamhaus', 554, '5.7.1', 'soft', 'spam'],
    ['550 5.7.1 some words', 550, '5.7.1', 'soft', 'policy'],
    ['550-5.7.26 unauthenticated mail', 550, '5.7.26', 'soft', 'policy'],
    ['5.4.4 host not found: NXDOMAIN', null, '5.4.4', 'hard', 'domain_not_found'],
    ['5.4.4 unable to route', null, '5.4.4', 'soft', 'domain_not_found'],
    ['550 relaying denied', 550, null, 'soft', 'relay'],
    ['421 try again', 421, null, 'soft', 'other'],
    ['552 message size exceeds limit', 552, null, 'soft', 'too_large'],
    ['connect to 10.5.1.1: connection timed out', null, null, 'soft', 'timeout'],
    ['waited 550ms for 5.1.1.9', null, null, 'undetermined', 'other'],
  ])('%s', (answer, code, enhanced, expectedClass, category) => {
    const facts = smtpFacts(answer);
    expect(facts).toEqual({ code, enhanced });
    expect(bounceVerdict(facts, answer)).toEqual({
      bounce_class: expectedClass,
      bounce_category: category,
    });
  });

  it.each([
    ['550 5.1.1 no such user', 'hard', 'hard', 'invalid_mailbox'],
    ['550 5.1.1 no such user', 'soft', 'hard', 'invalid_mailbox'],
    ['550 5.1.1 no such user', 'message', 'undetermined', 'invalid_mailbox'],
    ['550 mailbox unavailable', 'hard', 'hard', 'invalid_mailbox'],
    ['550 mailbox unavailable', undefined, 'hard', 'invalid_mailbox'],
    ['550 mailbox unavailable', 'soft', 'undetermined', 'invalid_mailbox'],
    ['550 5.2.1 x', 'hard', 'hard', 'invalid_mailbox'],
    ['550 5.2.1 x', undefined, 'undetermined', 'invalid_mailbox'],
    ['550 5.7.1 x', 'address', 'soft', 'policy'],
    ['550 x', 'address', 'hard', 'invalid_mailbox'],
    ['550 x', 'hard', 'hard', 'other'],
    ['550 x', 'soft', 'soft', 'other'],
    ['550 x', 'nothing', 'undetermined', 'other'],
    ['550 x', undefined, 'undetermined', 'other'],
    ['450 4.0.0 x', 'hard', 'undetermined', 'other'],
    ['452 4.2.2 x', 'hard', 'soft', 'mailbox_full'],
  ] as const)('%s, which the ESP calls %s, is %s', (answer, says, bounceClass, category) => {
    expect(bounceVerdict(smtpFacts(answer), answer, { says })).toEqual({
      bounce_class: bounceClass,
      bounce_category: category,
    });
  });

  it.each([
    ['policy', 'hard', 'soft', 'policy'],
    ['domain_not_found', 'hard', 'hard', 'domain_not_found'],
    ['invalid_mailbox', 'soft', 'undetermined', 'invalid_mailbox'],
    ['timeout', 'nothing', 'undetermined', 'timeout'],
    ['spam', undefined, 'soft', 'spam'],
  ] as const)(
    'a cause of the ESP’s own, %s, that it calls %s, is %s',
    (cause, says, bounceClass, category) => {
      expect(bounceVerdict({ code: null, enhanced: null }, null, { says, category: cause })).toEqual({
        bounce_class: bounceClass,
        bounce_category: category,
      });
    },
  );

  it('trusts fields of their own before the text', () => {
    expect(smtpFacts('550 5.1.1 x', '450', '4.2.1')).toEqual({ code: 450, enhanced: '4.2.1' });
    expect(smtpFacts('550 5.1.1 x', 605, 'unknown')).toEqual({ code: 550, enhanced: '5.1.1' });
    expect(smtpFacts(null)).toEqual({ code: null, enhanced: null });
  });
});

it('reads an answer as far as servers answer, since more would take very long', () => {
  const words = 'mailbox full';
  expect(bounceVerdict(NO_ANSWER, `${'x'.repeat(1_900)} ${words}`)).toMatchObject({
    bounce_category: 'mailbox_full',
  });
  expect(bounceVerdict(NO_ANSWER, `${'x'.repeat(400_000)} ${words}`)).toMatchObject({
    bounce_category: 'other',
  });
});
