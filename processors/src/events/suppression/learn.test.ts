import type { EmailEvent } from '@email-events/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE } from './accounts.ts';
import { DAY, history, learnAll, policyOf, RULE, SOURCES, shuffled } from './history.fixture.ts';
import { concernsSuppression, learn } from './learn.ts';
import { reasonsOf, SOFT_BOUNCES_KEPT } from './reasons.ts';

const all = (events: readonly EmailEvent[]) =>
  events.reduce((state, event) => learn(state, event, policyOf(event.source)), NO_STATE);
const reasons = (events: readonly EmailEvent[]) => reasonsOf(all(events), RULE);
const named = (events: readonly EmailEvent[]) =>
  reasons(events).map(({ reason, scope }) => `${reason} ${scope}`);

type More = Partial<EmailEvent>;
/** At a time, by a source; received when it happened. */
const by =
  (source: string) =>
  (type: EmailEvent['type'], time: number, more: More = {}): EmailEvent => {
    const { esp, account } = SOURCES[source] ?? { esp: 'sendgrid', account: null };
    const at = START + time;
    return eventOf(type, { source, esp, account, occurred_at: at, received_at: at, ...more });
  };
const mail = by('mail');
const soft = (time: number, from = mail) => from('bounced', time, { bounce_class: 'soft' });

test('the order in which events and orders arrive does not matter', () => {
  fc.assert(
    fc.property(shuffled(120), ([said, other]) => {
      const state = learnAll(said);
      expect(learnAll(other)).toEqual(state);
      expect(reasonsOf(learnAll(other), RULE)).toEqual(reasonsOf(state, RULE));
    }),
    { numRuns: 300 },
  );
});

test('what is learnt again, in any order, changes nothing', () => {
  fc.assert(
    fc.property(shuffled(60), ([said, again]) => {
      const state = learnAll(said);
      // The same object: nothing is written for it either.
      expect(learnAll(again, state)).toBe(state);
    }),
    { numRuns: 300 },
  );
});

test('old history never re-enables anyone', () => {
  fc.assert(
    fc.property(history(40), history(40), (past, present) => {
      const old = past.filter((said) => 'event' in said);
      const later = present.map((said, i) =>
        'event' in said
          ? {
              event: {
                ...said.event,
                occurred_at: said.event.occurred_at + 50 * DAY,
                received_at: said.event.received_at + 50 * DAY,
                event_id: (i + 1_000).toString(16).padStart(32, '0'),
              },
            }
          : said,
      );
      const suppressed = (said: Parameters<typeof learnAll>[0]) =>
        reasonsOf(learnAll(said), RULE)
          .filter(({ reason }) => reason !== 'soft_bounces')
          .map(({ reason, scope }) => `${reason} ${scope}`);
      expect(suppressed([...later, ...old])).toEqual(expect.arrayContaining(suppressed(later)));
    }),
    { numRuns: 300 },
  );
});

test('a hard bounce, a complaint and an unsubscribe suppress at once', () => {
  expect(named([mail('bounced', 1)])).toEqual(['hard_bounce all']);
  expect(named([mail('complained', 1)])).toEqual(['complaint all']);
  expect(named([mail('unsubscribed', 1)])).toEqual(['unsubscribe all']);
  expect(named([mail('unsubscribed', 1, { scope: null })])).toEqual(['unsubscribe all']);
});

test('what says nothing about suppression changes nothing', () => {
  for (const type of ['queued', 'deferred', 'dropped', 'opened', 'clicked', 'other'] as const) {
    expect(concernsSuppression(type)).toBe(false);
    expect(learn(NO_STATE, eventOf(type))).toBe(NO_STATE);
  }
  expect(learn(NO_STATE, eventOf('complained', { feedback_type: 'not-spam' }))).toBe(NO_STATE);
  expect(learn(NO_STATE, eventOf('bounced', { bounce_class: 'undetermined' }))).toBe(NO_STATE);
});

test('every type that learns is told of', () => {
  for (const type of ['delivered', 'bounced', 'complained', 'unsubscribed', 'subscribed'] as const) {
    expect(concernsSuppression(type)).toBe(true);
    expect(learn(NO_STATE, eventOf(type))).not.toBe(NO_STATE);
  }
});

test('the earliest bounce and complaint are the evidence, of whatever account', () => {
  const early = by('shop')('bounced', 1, { diagnostic: 'no such user' });
  expect(reasons([mail('bounced', 2), early, mail('bounced', 3)])).toEqual([
    {
      ...{ reason: 'hard_bounce', scope: 'all', since: START + 1, esp: 'sendgrid', source: 'shop' },
      ...{ event_id: early.event_id, detail: 'no such user', account: 'shop' },
    },
  ]);
  expect(reasons([mail('complained', 1)])).toMatchObject([{ account: null }]);
});

test('only a later subscription to the same list lifts an unsubscribe', () => {
  const leave = mail('unsubscribed', 10, { scope: 'news' });
  const join = (scope: string, time: number) => mail('subscribed', time, { scope });
  expect(named([leave, join('news', 11)])).toEqual([]);
  expect(named([join('news', 11), leave])).toEqual([]);
  expect(named([leave, join('news', 9)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('news', 10)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('all', 11)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('offers', 11)])).toEqual(['unsubscribe news']);
  expect(named([leave, join('news', 11), mail('unsubscribed', 12, { scope: 'news' })])).toEqual([
    'unsubscribe news',
  ]);
});

test('a subscription lifts what its own account said, unless its source may lift all', () => {
  const leave = by('shop')('unsubscribed', 10);
  expect(named([leave, mail('subscribed', 11)])).toEqual(['unsubscribe all']);
  expect(named([leave, by('shop2')('subscribed', 11)])).toEqual([]);
  expect(named([leave, by('own')('subscribed', 11)])).toEqual([]);
  expect(named([leave, by('own')('subscribed', 10)])).toEqual(['unsubscribe all']);
  // Each of two accounts has been left: one of them is joined again.
  const both = [mail('unsubscribed', 12), leave];
  expect(reasons(both)).toMatchObject([{ since: START + 12 }]);
  expect(reasons([...both, mail('subscribed', 13)])).toMatchObject([{ since: START + 10, account: 'shop' }]);
});

test('a source that was given an account lifts what it said itself before', () => {
  const before = by('shop')('unsubscribed', 10, { account: null });
  expect(named([before, by('shop')('subscribed', 11)])).toEqual([]);
  expect(named([before, by('shop2')('subscribed', 11)])).toEqual(['unsubscribe all']);
  const run = [1, 2, 3, 4, 5].map((day) => ({ ...soft(day * DAY, by('shop')), account: null }));
  expect(named(run)).toEqual(['soft_bounces all']);
  expect(named([...run, by('shop')('delivered', 6 * DAY)])).toEqual([]);
  expect(named([...run, by('shop2')('delivered', 6 * DAY)])).toEqual(['soft_bounces all']);
});

test('a source that may suppress its own streams only suppresses no more', () => {
  const agency = by('agency');
  expect(named([agency('unsubscribed', 1, { scope: 'news' })])).toEqual(['unsubscribe news']);
  expect(named([agency('unsubscribed', 1)])).toEqual(['unsubscribe account:agency']);
  expect(named([agency('bounced', 1), agency('complained', 2)])).toEqual([
    'hard_bounce account:agency',
    'complaint account:agency',
  ]);
  const run = [1, 2, 3, 4, 5].map((day) => soft(day * DAY, agency));
  expect(named(run)).toEqual(['soft_bounces account:agency']);
  expect(named([...run.slice(1), soft(DAY)])).toEqual([]);
  expect(named([agency('unsubscribed', 1), agency('subscribed', 2)])).toEqual([]);
  // It hides nothing of what others say.
  expect(named([agency('bounced', 1), mail('bounced', 2)])).toEqual([
    'hard_bounce account:agency',
    'hard_bounce all',
  ]);
});

test('a source that may suppress nothing lifts nothing either', () => {
  const quiet = by('test');
  for (const type of ['bounced', 'complained', 'unsubscribed', 'subscribed', 'delivered'] as const)
    expect(all([quiet(type, 1)])).toBe(NO_STATE);
});

test('a stream cannot be called like the scope of an account', () => {
  const leave = mail('unsubscribed', 1, { scope: 'account:agency' });
  expect(named([leave])).toEqual(['unsubscribe stream:account:agency']);
  expect(named([mail('unsubscribed', 1, { scope: '*' })])).toEqual(['unsubscribe stream:*']);
  expect(named([leave, mail('subscribed', 2, { scope: 'account:agency' })])).toEqual([]);
});

test('nothing lifts a complaint or a hard bounce', () => {
  const after = [mail('subscribed', DAY), mail('delivered', DAY), mail('opened', DAY)];
  expect(named([mail('complained', 1), ...after])).toEqual(['complaint all']);
  expect(named([mail('bounced', 1), ...after])).toEqual(['hard_bounce all']);
});

test('a run of soft bounces within the window suppresses, as of the one that completes it', () => {
  const run = [1, 2, 3, 4, 5].map((day) => soft(day * DAY));
  expect(named(run.slice(1))).toEqual([]);
  expect(reasons(run)).toMatchObject([{ reason: 'soft_bounces', since: START + 5 * DAY }]);
  const slow = [0, 10, 20, 29, 31].map((day) => soft(day * DAY));
  expect(named(slow)).toEqual([]);
  expect(named([...slow, soft(32 * DAY), soft(33 * DAY)])).toEqual(['soft_bounces all']);
});

test('a delivery ends a run of its own account, wherever in the order it is told', () => {
  const run = [1, 2, 3, 4, 5, 6].map((day) => soft(day * DAY));
  const delivered = mail('delivered', 3.5 * DAY);
  expect(named([...run, delivered])).toEqual([]);
  expect(named([delivered, ...run])).toEqual([]);
  expect(named([...run, mail('delivered', 0.5 * DAY)])).toEqual(['soft_bounces all']);
  expect(named([...run, by('shop')('delivered', 7 * DAY)])).toEqual(['soft_bounces all']);
  expect(named([by('own')('delivered', 7 * DAY), ...run])).toEqual([]);
  expect(named([...run, by('own')('delivered', 7 * DAY)])).toEqual([]);
});

test('soft bounces of all accounts count together', () => {
  const run = [1, 2, 3].map((day) => soft(day * DAY));
  const shop = [4, 5].map((day) => soft(day * DAY, by('shop')));
  expect(reasons([...run, ...shop])).toMatchObject([{ reason: 'soft_bounces', account: 'shop' }]);
  expect(named([...run, ...shop, by('shop')('delivered', 6 * DAY)])).toEqual([]);
});

test('a soft bounce that comes again, under another id too, counts once', () => {
  const run = [1, 2, 3, 4].map((day) => soft(day * DAY));
  const [first] = run;
  if (!first) throw new Error('no run');
  const again = { ...first, event_id: 'f'.repeat(32), known_as: [first.event_id], occurred_at: START + 1 };
  expect(named([...run, { ...first, received_at: START + 40 * DAY }, again])).toEqual([]);
});

test('a time that is too old to be believed lifts nothing and ends no run', () => {
  const old = { occurred_at_source: 'bounded', received_at: START + 900 * DAY } as const;
  expect(named([mail('unsubscribed', 1), mail('subscribed', 2, old)])).toEqual(['unsubscribe all']);
  const run = [1, 2, 3, 4, 5].map((day) => soft(day * DAY));
  expect(named([...run, mail('delivered', 6 * DAY, old)])).toEqual(['soft_bounces all']);
  // One from the future was moved to when it was received, which is sure.
  const moved = (time: number) => ({ ...old, received_at: START + time });
  expect(named([mail('unsubscribed', 1), mail('subscribed', 2, moved(2))])).toEqual([]);
  expect(named([mail('unsubscribed', 1, old)])).toEqual(['unsubscribe all']);
});

test('a mailbox that never recovers stays suppressed in bounded memory', () => {
  // So far apart that no other run is completed, until the first one is forgotten.
  const sparse = Array.from({ length: 100 }, (_, i) => soft((40 + 10 * i) * DAY));
  let state = all([1, 2, 3, 4, 5].map((day) => soft(day * DAY)));
  for (const bounce of sparse) {
    state = learn(state, bounce);
    expect(reasonsOf(state, RULE)).toMatchObject([{ reason: 'soft_bounces' }]);
  }
  expect(state.accounts[0]?.soft_bounces).toHaveLength(SOFT_BOUNCES_KEPT);
  expect(named([...sparse, mail('delivered', 2_000 * DAY)])).toEqual([]);
});
