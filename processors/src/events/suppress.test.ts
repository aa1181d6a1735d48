import { avroType, type EmailEvent, type RecipientState } from '@email-events/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventOf, START } from '../testing/events.ts';
import {
  isTelling,
  learn,
  NO_STATE,
  reasonsOf,
  SOFT_BOUNCES_KEPT,
  sizeOf,
  suppressionChange,
} from './suppress.ts';

const DAY = 86_400_000;
const RULE = { threshold: 5, windowMs: 30 * DAY };

const learnAll = (events: readonly EmailEvent[], from: RecipientState = NO_STATE) =>
  events.reduce(learn, from);
const reasons = (events: readonly EmailEvent[]) => reasonsOf(learnAll(events), RULE);
const named = (events: readonly EmailEvent[]) =>
  reasons(events).map(({ reason, scope }) => `${reason} ${scope}`);
const at = (time: number) => ({ occurred_at: START + time });
const soft = (time: number) => eventOf('bounced', { bounce_class: 'soft', ...at(time) });

/** Any history of one recipient, with times that often collide. */
const history = (maxLength: number) =>
  fc
    .array(
      fc.record({
        kind: fc.constantFrom(
          'hard',
          'soft',
          'soft',
          'complained',
          'not-spam',
          'unsub',
          'sub',
          'delivered',
          'opened',
        ),
        time: fc.integer({ min: 0, max: 40 }),
        scope: fc.constantFrom('all', 'news', null),
      }),
      { maxLength },
    )
    .map((steps) =>
      steps.map(({ kind, time, scope }, i) => {
        const common = { ...at(time * DAY), event_id: i.toString(16).padStart(32, '0') };
        switch (kind) {
          case 'hard':
          case 'soft':
            return eventOf('bounced', { ...common, bounce_class: kind });
          case 'complained':
            return eventOf('complained', common);
          case 'not-spam':
            return eventOf('complained', { ...common, feedback_type: 'not-spam' });
          case 'unsub':
            return eventOf('unsubscribed', { ...common, scope });
          case 'sub':
            return eventOf('subscribed', { ...common, scope });
          default:
            return eventOf(kind === 'delivered' ? 'delivered' : 'opened', common);
        }
      }),
    );

const shuffled = (maxLength: number) =>
  history(maxLength).chain((events) =>
    fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
  );

test('the order in which events arrive does not matter', () => {
  fc.assert(
    fc.property(shuffled(120), ([events, other]) => {
      expect(learnAll(other)).toEqual(learnAll(events));
    }),
    { numRuns: 300 },
  );
});

test('events that are learnt again, in any order, change nothing', () => {
  fc.assert(
    fc.property(shuffled(60), ([events, again]) => {
      const state = learnAll(events);
      // The same object: nothing is written for it either.
      expect(learnAll(again, state)).toBe(state);
    }),
    { numRuns: 300 },
  );
});

test('old history never re-enables anyone', () => {
  fc.assert(
    fc.property(history(40), history(40), (past, present) => {
      const later = present.map((event, i) => ({
        ...event,
        occurred_at: event.occurred_at + 50 * DAY,
        event_id: (i + 1_000).toString(16).padStart(32, '0'),
      }));
      const suppressed = (events: EmailEvent[]) =>
        reasons(events)
          .filter(({ reason }) => reason !== 'soft_bounces')
          .map(({ reason, scope }) => `${reason} ${scope}`);
      expect(suppressed([...later, ...past])).toEqual(expect.arrayContaining(suppressed(later)));
    }),
    { numRuns: 300 },
  );
});

test('a hard bounce, a complaint and an unsubscribe suppress at once', () => {
  expect(named([eventOf('bounced')])).toEqual(['hard_bounce all']);
  expect(named([eventOf('complained')])).toEqual(['complaint all']);
  expect(named([eventOf('unsubscribed')])).toEqual(['unsubscribe all']);
  expect(named([eventOf('unsubscribed', { scope: null })])).toEqual(['unsubscribe all']);
});

test('what says nothing about suppression changes nothing', () => {
  for (const type of ['queued', 'deferred', 'dropped', 'opened', 'clicked', 'other'] as const) {
    const event = eventOf(type);
    expect(isTelling(event)).toBe(false);
    expect(learn(NO_STATE, event)).toBe(NO_STATE);
  }
  expect(learn(NO_STATE, eventOf('complained', { feedback_type: 'not-spam' }))).toBe(NO_STATE);
  expect(learn(NO_STATE, eventOf('bounced', { bounce_class: 'undetermined' }))).toBe(NO_STATE);
});

test('every type that learns is told of', () => {
  for (const type of ['delivered', 'bounced', 'complained', 'unsubscribed', 'subscribed'] as const) {
    expect(isTelling(eventOf(type))).toBe(true);
    expect(learn(NO_STATE, eventOf(type))).not.toBe(NO_STATE);
  }
});

test('the earliest bounce and complaint are the evidence', () => {
  const early = eventOf('bounced', { ...at(1), diagnostic: 'no such user' });
  const [reason] = reasons([eventOf('bounced', at(2)), early]);
  expect(reason).toEqual({
    reason: 'hard_bounce',
    scope: 'all',
    since: START + 1,
    esp: 'sendgrid',
    source: 'main',
    event_id: early.event_id,
    detail: 'no such user',
    account: null,
  });
});

test('only a later subscription to the same list lifts an unsubscribe', () => {
  const leave = eventOf('unsubscribed', { scope: 'news', ...at(10) });
  const join = (scope: string, time: number) => eventOf('subscribed', { scope, ...at(time) });
  expect(named([leave, join('news', 11)])).toEqual([]);
  expect(named([join('news', 11), leave])).toEqual([]);
  expect(named([leave, join('news', 9)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('news', 10)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('all', 11)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('offers', 11)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('news', 11), eventOf('unsubscribed', { scope: 'news', ...at(12) })])).toEqual([
    'unsubscribe news',
  ]);
});

test('nothing lifts a complaint or a hard bounce', () => {
  const after = [eventOf('subscribed', at(DAY)), eventOf('delivered', at(DAY)), eventOf('opened', at(DAY))];
  expect(named([eventOf('complained', at(1)), ...after])).toEqual(['complaint all']);
  expect(named([eventOf('bounced', at(1)), ...after])).toEqual(['hard_bounce all']);
});

test('a run of soft bounces within the window suppresses, as of the one that completes it', () => {
  const run = [1, 2, 3, 4, 5].map((day) => soft(day * DAY));
  expect(named(run.slice(1))).toEqual([]);
  expect(reasons(run)).toMatchObject([{ reason: 'soft_bounces', since: START + 5 * DAY }]);
  const slow = [0, 10, 20, 29, 31].map((day) => soft(day * DAY));
  expect(named(slow)).toEqual([]);
  expect(named([...slow, soft(32 * DAY), soft(33 * DAY)])).toEqual(['soft_bounces all']);
});

test('a delivery ends a run, wherever in the order it is told', () => {
  const run = [1, 2, 3, 4, 5, 6].map((day) => soft(day * DAY));
  const delivered = eventOf('delivered', at(3.5 * DAY));
  expect(named([...run, delivered])).toEqual([]);
  expect(named([delivered, ...run])).toEqual([]);
  expect(named([...run, eventOf('delivered', at(0.5 * DAY))])).toEqual(['soft_bounces all']);
});

test('a mailbox that never recovers stays suppressed in bounded memory', () => {
  const run = [1, 2, 3, 4, 5].map((day) => soft(day * DAY));
  // So far apart that no other run is completed, until the first one is forgotten.
  const sparse = Array.from({ length: 100 }, (_, i) => soft((40 + 10 * i) * DAY));
  let state = learnAll(run);
  for (const bounce of sparse) {
    state = learn(state, bounce);
    expect(reasonsOf(state, RULE)).toMatchObject([{ reason: 'soft_bounces' }]);
  }
  expect(state.soft_bounces).toHaveLength(SOFT_BOUNCES_KEPT);
  expect(named([...sparse, eventOf('delivered', at(2_000 * DAY))])).toEqual([]);
});

test('the evidence is short, so that a state fits its record', () => {
  const huge = 'ü'.repeat(1_000_000);
  const events = Array.from({ length: 40 }, (_, i) => ({ ...soft(i), diagnostic: huge }));
  const state = learnAll([...events, eventOf('bounced', { diagnostic: `${'x'.repeat(499)}💥${huge}` })]);
  const encoded = avroType('recipientState').toBuffer(state).length;
  expect(encoded).toBeLessThan(sizeOf(state));
  expect(sizeOf(state)).toBeLessThan(100_000);
  expect(state.hard_bounce?.detail?.isWellFormed()).toBe(true);
});

test('the size of a state is never told too small', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 300, unit: 'grapheme' }), { maxLength: 30 }), (scopes) => {
      const state = learnAll(
        scopes.map((scope) => eventOf('unsubscribed', { scope, method: 'm'.repeat(900) })),
      );
      expect(avroType('recipientState').toBuffer(state).length).toBeLessThanOrEqual(sizeOf(state));
    }),
  );
});

test('a suppression is told when the reasons change, and only then', () => {
  const change = (before: RecipientState, event: EmailEvent) =>
    suppressionChange('ann@example.com', before, learn(before, event), event, RULE);
  const hard = eventOf('bounced', at(5));
  expect(change(NO_STATE, hard)).toMatchObject({
    recipient: 'ann@example.com',
    suppressed: true,
    changed_at: hard.occurred_at,
    event_id: hard.event_id,
    reasons: [{ reason: 'hard_bounce' }],
  });
  expect(change(NO_STATE, soft(1))).toBeUndefined();
  expect(change(learn(NO_STATE, hard), eventOf('bounced', at(9)))).toBeUndefined();
  expect(change(learn(NO_STATE, hard), eventOf('delivered', at(9)))).toBeUndefined();
  // Leaving one list suppresses on that list, not altogether.
  const list = eventOf('unsubscribed', { scope: 'news', ...at(6) });
  expect(change(NO_STATE, list)).toMatchObject({ suppressed: false, reasons: [{ scope: 'news' }] });
  const back = eventOf('subscribed', { scope: 'news', ...at(7) });
  expect(change(learn(NO_STATE, list), back)).toMatchObject({ suppressed: false, reasons: [] });
});
