import { expect, test } from 'vitest';
import type { StoryMessage } from './story.ts';
import { duration, verdict } from './story-words.ts';

const message: StoryMessage = {
  ...{ message: 'm', messageId: '', esp: 'ses', source: 'main', campaign: '', variant: '', subject: 's' },
  ...{ outcome: 'queued', firstAt: '2026-09-01T12:00:00.000Z', lastAt: '2026-09-01T12:00:00.000Z' },
  ...{ queuedAt: '2026-09-01T12:00:00.000Z', deliveredAt: null, deferrals: 0, lastDeferredAt: null },
  ...{ droppedAt: null, dropReason: '', lastBouncedAt: null, bounceClass: '', bounceCategory: '' },
  ...{ enhancedStatus: '', smtpCode: 0, diagnostic: '', opens: 0, unjudgedOpens: 0, machineOpens: 0 },
  ...{ openedAt: null, clicks: 0, unjudgedClicks: 0, machineClicks: 0, clickedAt: null, complainedAt: null },
  ...{ unsubscribedAt: null, unsubscribeScope: '', events: [] },
};
const AT = '2026-09-01T12:00:05.000Z';

test.each<[says: string, Partial<StoryMessage>]>([
  ['It is not known whether it arrived: the ESP had it at', {}],
  [
    'It arrived: the receiving server took it at 2026-09-01 12:00:05, 5 s after',
    { outcome: 'delivered', deliveredAt: AT },
  ],
  [
    'It did not arrive, it came back at 2026-09-01 12:00:05: refused this time (mailbox full).',
    { outcome: 'soft_bounced', lastBouncedAt: AT, bounceCategory: 'mailbox_full' },
  ],
  [
    'It was taken at first and then came back',
    { outcome: 'hard_bounced', lastBouncedAt: AT, deliveredAt: AT },
  ],
  ['the ESP did not try to deliver it (unsubscribed)', { outcome: 'dropped', dropReason: 'unsubscribed' }],
  ['It had not arrived yet: the receiving server put it off 2 times', { outcome: 'deferred', deferrals: 2 }],
  ['or it would not have been opened', { outcome: 'unknown', clicks: 1 }],
  ['It is not known whether it arrived', { outcome: 'unknown' }],
])('%s', (says, more) => {
  expect(verdict({ ...message, ...more })).toContain(says);
});

test.each([
  [0, ''],
  [999, ''],
  [1_000, '1 s'],
  [119_000, '1 min'],
  [7_200_000, '2 h'],
  [90_000_000, '1 d'],
])('%i ms is %s', (ms, words) => {
  expect(duration(ms)).toBe(words);
});
