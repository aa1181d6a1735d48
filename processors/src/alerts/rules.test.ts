import { describe, expect, test } from 'vitest';
import { AT, add, DAY, HOUR, MINUTE, settingsOf } from './mail.fixture.ts';
import { judgeRates, type RuleSettings } from './rules.ts';
import { MailWindows, type Reported } from './windows.ts';

type Told = {
  of?: Partial<Reported>;
  delivered?: number;
  bounced?: number;
  deferred?: number;
  complained?: number;
};

function judged(told: Told[], changed: Partial<RuleSettings> = {}, at = AT) {
  const windows = new MailWindows();
  for (const { of, ...counts } of told)
    for (const [type, count] of Object.entries(counts)) add(windows, count, type, of);
  return judgeRates(windows, at, settingsOf(changed))
    .filter(({ over }) => over)
    .map(({ rule, level, scope: { stream, provider }, advice }) =>
      [rule, level, stream ?? provider ?? '', advice].join(' '),
    );
}

describe('bounces', () => {
  test('of less than five in a hundred are no alert, of more a warning, of ten a reason to stop', () => {
    expect(judged([{ delivered: 950, bounced: 50 }])).toEqual([]);
    expect(judged([{ delivered: 940, bounced: 60 }])).toEqual(['bounce_rate warning  watch']);
    expect(judged([{ delivered: 880, bounced: 120 }])).toEqual([
      'bounce_rate critical  pause',
      'bounce_rate warning  watch',
    ]);
  });

  test('of few messages say nothing', () => {
    expect(judged([{ delivered: 50, bounced: 40 }])).toEqual([]);
    expect(judged([{ delivered: 10, bounced: 4 }], { minVolume: 10 })).toEqual([]);
  });

  test('of a source that never tells of deliveries are all there is', () => {
    expect(judged([{ bounced: 500 }])).toEqual([]);
  });

  test('of one stream, or at one provider, are told as that', () => {
    const found = judged([
      { of: { stream: 'news' }, delivered: 100, bounced: 60 },
      { of: { stream: 'receipts', recipient_domain: 'web.de' }, delivered: 5_000 },
    ]);
    expect(found).toContain('bounce_rate critical news pause');
    expect(found).toContain('bounce_rate critical gmail pause');
    expect(found.filter((one) => one.includes('receipts') || one.includes('web_de'))).toEqual([]);
    expect(found.filter((one) => one.startsWith('bounce_rate critical  '))).toEqual([]);
  });

  test('far above what they were are told below the threshold, by chance they are not', () => {
    const before = { of: { received_at: AT - 5 * HOUR }, delivered: 2_000, bounced: 10 };
    expect(judged([before, { delivered: 965, bounced: 35 }])).toEqual(['bounce_rate rise  watch']);
    expect(judged([before, { delivered: 980, bounced: 20 }])).toEqual([]);
    expect(judged([{ delivered: 965, bounced: 35 }])).toEqual([]);
  });

  test('count by when they were received, and no longer than the window', () => {
    const old = { received_at: AT - 70 * MINUTE };
    expect(judged([{ delivered: 500 }, { of: old, bounced: 500 }])).toEqual([]);
    expect(judged([{ delivered: 500, bounced: 100 }], {}, AT + 70 * MINUTE)).toEqual([]);
  });
});

test('complaints are judged as Gmail and Yahoo do: 0.1 and 0.3 % of a day', () => {
  const earlier = { received_at: AT - 20 * HOUR };
  const told = (complained: number) => [{ of: earlier, delivered: 10_000 }, { complained }];
  expect(judged(told(10))).toEqual([]);
  expect(judged(told(11))).toEqual(['complaint_rate warning  watch']);
  expect(judged(told(31))).toEqual(['complaint_rate critical  pause', 'complaint_rate warning  watch']);
  expect(judged([{ delivered: 500, complained: 9 }])).toEqual([]);
});

test('deferrals slow a sender down', () => {
  expect(judged([{ delivered: 700, deferred: 300 }])).toEqual(['deferral_rate warning  slow_down']);
  expect(judged([{ delivered: 300, deferred: 700 }])).toContain('deferral_rate critical  fail_over');
});

describe('a provider that blocks', () => {
  const before = { of: { received_at: AT - 5 * HOUR }, delivered: 1_000 };
  const others = { of: { recipient_domain: 'web.de' }, delivered: 20_000 };
  const blocked = { of: { bounce_category: 'policy' }, bounced: 150 };

  test('took mail before, and refuses it now', () => {
    expect(judged([before, others, blocked])).toContain('blocked critical gmail fail_over');
    expect(judged([before, others, { deferred: 150 }])).toContain('blocked critical gmail fail_over');
  });

  test('does not if it never took any, or if mailboxes are bad', () => {
    const isBlocked = (told: Told[]) => judged(told).some((one) => one.startsWith('blocked'));
    expect(isBlocked([others, blocked])).toBe(false);
    expect(isBlocked([before, others, { of: { bounce_category: 'invalid_mailbox' }, bounced: 150 }])).toBe(
      false,
    );
    expect(
      isBlocked([
        { ...before, bounced: 600, of: { ...before.of, bounce_category: 'policy' } },
        others,
        blocked,
      ]),
    ).toBe(false);
  });
});

test('a finding goes on a while below what it fires at, so that it does not come and go', () => {
  const windows = new MailWindows();
  add(windows, 957, 'delivered');
  add(windows, 43, 'bounced');
  expect(judgeRates(windows, AT, settingsOf()).map(({ rule, level, over }) => [rule, level, over])).toEqual([
    ['bounce_rate', 'warning', false],
  ]);
  expect(judgeRates(windows, AT + 2 * DAY, settingsOf())).toEqual([]);
});
