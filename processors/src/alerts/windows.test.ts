import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AT, add, DAY, HOUR, MINUTE, reported } from './mail.fixture.ts';
import { MailWindows, OTHER_STREAMS } from './windows.ts';

const hour = { window: { by: 'minutes', from: AT - HOUR, to: AT + 1 } } as const;
const counted = (windows: MailWindows, source = 'main') =>
  windows.views(source, hour).map(({ scope: { stream, provider }, counts: { window } }) => {
    return [stream, provider, window.delivered, window.bounced, window.all];
  });

test('reports are counted by source, stream and mailbox provider', () => {
  const windows = new MailWindows();
  add(windows, 3, 'delivered');
  add(windows, 2, 'bounced', {
    stream: 'receipts',
    recipient_domain: 'hotmail.com',
    bounce_category: 'policy',
  });
  add(windows, 1, 'delivered', { stream: null, recipient_domain: '' });
  add(windows, 5, 'opened', { source: 'second' });
  expect(counted(windows)).toEqual([
    [null, null, 4, 2, 6],
    ['news', null, 3, 0, 3],
    [null, 'gmail', 3, 0, 3],
    ['receipts', null, 0, 2, 2],
    [null, 'outlook', 0, 2, 2],
  ]);
  expect(windows.views('main', hour)[0]?.counts.window.blocked).toBe(2);
  expect(windows.views('nobody', hour)).toEqual([]);
});

test('what was received counts where it was received, in steps of five minutes and of an hour', () => {
  const windows = new MailWindows();
  add(windows, 1, 'delivered', { received_at: AT - HOUR - 6 * MINUTE });
  add(windows, 1, 'delivered', { received_at: AT - HOUR + MINUTE });
  // By a clock that is ahead of ours.
  add(windows, 1, 'delivered', { received_at: AT + DAY });
  expect(counted(windows)[0]).toEqual([null, null, 2, 0, 2]);
  const spans = { past: { by: 'whole-hours', from: AT - DAY, to: AT - HOUR } } as const;
  expect(windows.views('main', spans)[0]?.counts.past.delivered).toBe(1);
  expect(windows.known('main')?.lastAt).toBe(AT);
});

test('not-spam is no complaint', () => {
  const windows = new MailWindows();
  add(windows, 1, 'complained', { feedback_type: 'not-spam' });
  add(windows, 1, 'complained', { feedback_type: 'abuse' });
  expect(windows.views('main', hour)[0]?.counts.window).toMatchObject({ complained: 1, all: 2 });
});

test('a sender who makes up streams takes no more room than fifty of them', () => {
  const windows = new MailWindows();
  for (let i = 0; i < 1_000; i++) windows.add(reported('delivered', { stream: `made-up-${i}` }), AT);
  windows.add(reported('delivered', { source: 'honest', stream: 'own' }), AT);
  expect(counted(windows).find(([stream]) => stream === OTHER_STREAMS)).toEqual([
    OTHER_STREAMS,
    null,
    950,
    0,
    950,
  ]);
  expect(windows.size).toBe(54);
  expect(counted(windows, 'honest')).toContainEqual(['own', null, 1, 0, 1]);
  // Those that are not heard of any more give their room to others.
  windows.expire(AT + 2 * DAY);
  windows.add(reported('delivered', { stream: 'later', received_at: AT + 2 * DAY }), AT + 2 * DAY);
  expect([...windows.takeChanged().keys()]).toContain('["main","later","gmail"]');
});

test('what is old is forgotten, and nothing old is taken', () => {
  const windows = new MailWindows();
  add(windows, 1, 'delivered');
  windows.takeChanged();
  windows.expire(AT + 27 * HOUR);
  expect([...windows.takeChanged()]).toEqual([['["main","news","gmail"]', null]]);
  expect(windows.sources()).toHaveLength(1);
  windows.expire(AT + 9 * DAY);
  expect(windows.size).toBe(0);
  windows.add(reported('delivered', { received_at: AT - 9 * DAY }), AT);
  expect(windows.size).toBe(0);
});

test('windows that were kept are those that were counted, whatever came in between', () => {
  const event = fc.record({
    type: fc.constantFrom('delivered', 'bounced', 'deferred', 'complained', 'clicked'),
    stream: fc.constantFrom(null, '', 'a', 'b'),
    recipient_domain: fc.constantFrom('gmail.com', 'web.de', 'example.com', ''),
    source: fc.constantFrom('main', 'second'),
    received_at: fc.integer({ min: AT - 3 * DAY, max: AT + HOUR }),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.boolean()), { maxLength: 60 }), (events) => {
      const [whole, kept] = [new MailWindows(), new Map<string, unknown>()];
      let read = new MailWindows();
      for (const [of, isRestarted] of events) {
        whole.add(reported(of.type, of), AT);
        read.add(reported(of.type, of), AT);
        for (const [key, window] of read.takeChanged()) kept.set(key, window);
        if (!isRestarted) continue;
        read = new MailWindows();
        for (const [key, window] of kept) read.restore(key, window as never);
      }
      for (const source of ['main', 'second'])
        expect(read.views(source, hour)).toEqual(whole.views(source, hour));
      const all = whole.views('main', hour).map(({ counts: { window } }) => window.all);
      expect(all.slice(1).every((part) => part <= (all[0] ?? 0))).toBe(true);
    }),
    { numRuns: 60 },
  );
});
