import { inspectRequest } from '@email-events/esps';
import { accounts, createSigner, type ServerAnswer } from '@email-events/esps/accounts';
import { beforeAll, describe, expect, it } from 'vitest';
import { adapterOf, fixtureFolders, loadFixtures } from './esp-fixtures.ts';

/** Answers of receiving servers, and how every ESP's adapter must read them. */
const ANSWERS: readonly (readonly [line: string, bounceClass: string, category: string])[] = [
  ['550 5.1.1 The email account that you tried to reach does not exist', 'hard', 'invalid_mailbox'],
  ['550 5.1.0 Address rejected', 'hard', 'invalid_mailbox'],
  ['550 5.1.2 Bad destination system address', 'hard', 'domain_not_found'],
  ['553 5.1.3 Bad destination mailbox address syntax', 'hard', 'invalid_mailbox'],
  ['551 5.1.6 Mailbox has moved', 'hard', 'invalid_mailbox'],
  ['550 5.1.10 Recipient domain has a null MX', 'hard', 'domain_not_found'],
  ['550 5.4.1 Recipient address rejected: Access denied', 'hard', 'invalid_mailbox'],
  ['550 5.4.4 Host not found: NXDOMAIN', 'hard', 'domain_not_found'],
  ['550 5.5.0 Requested action not taken: mailbox unavailable', 'hard', 'invalid_mailbox'],
  ['550 No such user here', 'hard', 'invalid_mailbox'],
  [
    '550 5.0.0 <spam-blocked@example.com>: user unknown, see https://policy.example/spam',
    'hard',
    'invalid_mailbox',
  ],
  ['550 5.2.1 The account is disabled', 'hard', 'invalid_mailbox'],
  // The sender's address, not the recipient's.
  ['550 5.1.7 Bad address syntax', 'soft', 'policy'],
  ['550 5.1.8 Sender address rejected: Domain not found', 'soft', 'policy'],
  ['550 Sender verify failed: user unknown', 'soft', 'policy'],
  // Policy, lists, spam, authentication.
  ['554 5.7.1 Service unavailable; client host blocked using a block list', 'soft', 'spam'],
  ['554 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org', 'soft', 'spam'],
  ['550 5.7.1 Message rejected because of unacceptable content; it looks like spam', 'soft', 'spam'],
  ['550 5.7.1 Delivery not authorized, message refused', 'soft', 'policy'],
  ['550 5.7.1 <ada@example.com>: user unknown to the policy server', 'soft', 'policy'],
  ['550 5.7.26 This mail has been blocked because the sender is unauthenticated', 'soft', 'policy'],
  ['550 5.7.509 Access denied, sending domain does not pass DMARC verification', 'soft', 'policy'],
  ['550 5.7.1 Unable to relay', 'soft', 'relay'],
  ['550 Relaying denied', 'soft', 'relay'],
  ['550 5.2.1 The user is receiving mail at a rate that prevents delivery', 'soft', 'policy'],
  ['554 Your account is not allowed to send', 'soft', 'policy'],
  ['554 5.6.0 Message content rejected', 'soft', 'content'],
  // Size, quota, the state of the other system.
  ['552 5.3.4 Message too big for system', 'soft', 'too_large'],
  ['552 5.2.2 Mailbox full', 'soft', 'mailbox_full'],
  ['452 4.2.2 The recipient’s inbox is out of storage space', 'soft', 'mailbox_full'],
  ['452 try later', 'soft', 'mailbox_full'],
  ['554 5.3.5 System incorrectly configured', 'soft', 'other'],
  ['554 5.4.6 Routing loop detected', 'soft', 'relay'],
  ['554 5.4.7 Delivery time expired', 'soft', 'timeout'],
  ['450 4.1.1 Recipient address not verified yet', 'soft', 'other'],
];

const AT = 1_793_610_929;
const serverAnswer = (line: string): ServerAnswer => ({
  code: Number(line.slice(0, 3)),
  status: /^\d{3} (\d\.\d+\.\d+)/.exec(line)?.[1] ?? null,
  line,
  ...{ to: 'ada@example.com', at: AT, iso: new Date(AT * 1000).toISOString() },
});

const REPORTING = accounts.flatMap(({ esp, contract: { bounce } }) =>
  bounce ? [[esp, bounce] as const] : [],
);

it('knows how nearly every ESP reports a bounce', () => {
  expect(REPORTING.length).toBeGreaterThanOrEqual(accounts.length - 2);
});

describe.each(REPORTING)('a bounce reported by %s', (esp, bounce) => {
  let signer: Awaited<ReturnType<typeof createSigner>>;
  beforeAll(async () => {
    signer = await createSigner(esp);
  });

  it.each(ANSWERS)('%s', (line, bounceClass, category) => {
    const request = signer.sign({ body: JSON.stringify(bounce(serverAnswer(line))), at: Date.now() });
    const adapter = adapterOf(esp);
    const { events } = inspectRequest({
      adapter,
      verifier: adapter.verifier(signer.settings),
      request,
      resources: signer.resources,
    });
    expect(events).toMatchObject([
      { type: 'bounced', recipient: 'ada@example.com', bounce_class: bounceClass, bounce_category: category },
    ]);
  });
});

it('lets class and category agree in every fixture', () => {
  const bounces = fixtureFolders()
    .flatMap(loadFixtures)
    .flatMap(({ fixture }) => fixture.expected.events.filter(({ type }) => type === 'bounced'));
  const odd = bounces.filter(({ bounce_class, bounce_category }) =>
    bounce_class === 'hard'
      ? !['invalid_mailbox', 'domain_not_found', 'other'].includes(String(bounce_category))
      : bounce_class === 'soft' && bounce_category === 'invalid_mailbox',
  );
  expect(bounces.length).toBeGreaterThan(20);
  expect(odd).toEqual([]);
});
