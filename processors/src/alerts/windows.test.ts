import type { MailWindow } from '@email-events/schemas';
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

/** Streams take all places and one more, are forgotten, and others take their places after a restart. */
const AGAIN = {
  ...{ hours: 0, type: 'delivered' as const, source: 'main' as const, named: undefined },
  streams: [0, 51] as [number, number],
  ...{ recipient_domain: 'gmail.com' as const, late: 0, expires: false, isRestarted: false },
};
const FULL_TWICE = [
  AGAIN,
  { ...AGAIN, hours: 30, streams: [0, 0] as [number, number], expires: true, isRestarted: true },
  { ...AGAIN, streams: [60, 50] as [number, number], isRestarted: true },
  { ...AGAIN, streams: [60, 51] as [number, number] },
];

/** Hours go by, streams are heard of, old windows are forgotten, the service is restarted. */
const step = fc.record({
  hours: fc.integer({ min: 0, max: 30 }),
  type: fc.constantFrom('delivered', 'bounced', 'deferred', 'complained', 'clicked'),
  source: fc.constantFrom('main', 'second'),
  /** Their numbers; there may be more than have a place. */
  streams: fc.tuple(fc.integer({ min: 0, max: 90 }), fc.integer({ min: 0, max: 60 })),
  named: fc.constantFrom(undefined, null, '', OTHER_STREAMS),
  recipient_domain: fc.constantFrom('gmail.com', 'web.de', 'example.com', ''),
  late: fc.integer({ min: 0, max: 3 * DAY }),
  expires: fc.boolean(),
  isRestarted: fc.boolean(),
});

test('windows that were kept are those that were counted, whatever came, went and ended in between', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const whole = new MailWindows();
      const kept: [key: string, window: MailWindow | null][] = [];
      let [read, now] = [new MailWindows(), AT];
      for (const { hours, streams, named, late, expires, isRestarted, ...of } of steps) {
        now += hours * HOUR;
        const [first, count] = streams;
        const names = Array.from({ length: count }, (_, i) => `stream-${first + i}`);
        for (const windows of [whole, read]) {
          for (const stream of named === undefined ? names : [named])
            windows.add(reported(of.type, { ...of, stream, received_at: now - late }), now);
          if (expires) windows.expire(now);
        }
        kept.push(...read.takeChanged());
        if (isRestarted) {
          read = new MailWindows();
          for (const [key, window] of kept) read.restore(key, window);
        }
        expect(read.size).toBe(whole.size);
        for (const source of ['main', 'second']) {
          const views = seen(whole, source, now);
          expect(seen(read, source, now)).toEqual(views);
          const [all, ...parts] = views;
          expect(parts.every(({ counts }) => counts.all <= (all?.counts.all ?? 0))).toBe(true);
        }
      }
    }),
    { numRuns: 60, examples: [[FULL_TWICE]] },
  );
});

/** All mail of the source first; the order of its parts does not matter. */
function seen(windows: MailWindows, source: string, now: number) {
  const spans = { day: { by: 'hours', from: now - DAY, to: now + 1 } } as const;
  const views = windows.views(source, spans).map(({ scope, counts }) => ({
    scope: JSON.stringify(scope),
    counts: counts.day,
  }));
  const [all, ...parts] = views;
  return all ? [all, ...parts.sort((a, b) => (a.scope < b.scope ? -1 : 1))] : [];
}
