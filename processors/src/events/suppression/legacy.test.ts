import type { Evidence, RecipientState, ScopeState } from '@email-events/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE } from './accounts.ts';
import { RULE } from './history.fixture.ts';
import { learn } from './learn.ts';
import { withAccounts } from './legacy.ts';
import { reasonsOf } from './reasons.ts';

const evidence = (at: number, more: Partial<Evidence> = {}): Evidence => ({
  ...{ at: START + at, esp: 'sendgrid', source: 'main', event_id: String(at).padStart(32, '0') },
  ...{ detail: null, received_at: null },
  ...more,
});
const stateOf = (more: Partial<RecipientState>): RecipientState => ({ ...NO_STATE, ...more });
const named = (state: RecipientState) =>
  reasonsOf(state, RULE).map(({ reason, scope, event_id }) => `${reason} ${scope} ${Number(event_id)}`);

/** The rules as they were. */
function formerly({ hard_bounce, complaint, subscriptions, soft_bounces }: RecipientState): string[] {
  const fifth = soft_bounces[4];
  const told = (reason: string, scope: string, found: Evidence | null | undefined) =>
    found ? [`${reason} ${scope} ${Number(found.event_id)}`] : [];
  return [
    ...told('hard_bounce', 'all', hard_bounce),
    ...told('complaint', 'all', complaint),
    ...told('soft_bounces', 'all', fifth),
    ...subscriptions.flatMap(({ scope, unsubscribed, subscribed_at }) =>
      (subscribed_at ?? -Infinity) <= (unsubscribed?.at ?? -Infinity)
        ? told('unsubscribe', scope, unsubscribed)
        : [],
    ),
  ];
}

test('a state from before accounts were told apart means what it meant', () => {
  const esp = fc.constantFrom('sendgrid', 'ses', '');
  const some = fc.tuple(fc.integer({ min: 0, max: 20 }), esp).map(([at, by]) => evidence(at, { esp: by }));
  const scope = (name: string) =>
    fc.record<ScopeState>({
      scope: fc.constant(name),
      unsubscribed: fc.option(some),
      subscribed_at: fc.option(fc.integer({ min: START, max: START + 20 })),
    });
  const legacy = fc.record({
    hard_bounce: fc.option(some),
    complaint: fc.option(some),
    subscriptions: fc.tuple(scope('all'), scope('news')).map((scopes) => scopes),
    soft_bounces: fc
      .array(some, { maxLength: 8 })
      .map((list) =>
        list.map((each, i) => ({ ...each, at: START + i, event_id: String(i).padStart(32, '0') })),
      ),
    delivered_at: fc.option(fc.constant(START - 1)),
  });
  fc.assert(
    fc.property(legacy, (old) => {
      const state = stateOf(old);
      expect(named(withAccounts(state))).toEqual(formerly(state));
    }),
  );
});

test('what a record says since then stays, and a state without anything old is the same object', () => {
  const state = learn(NO_STATE, eventOf('bounced'));
  expect(withAccounts(state)).toBe(state);
  const mixed = withAccounts({ ...state, revision: 7, complaint: evidence(1) });
  expect(mixed.revision).toBe(7);
  expect(reasonsOf(mixed, RULE).map(({ reason }) => reason)).toEqual(['hard_bounce', 'complaint']);
});

test('what is old is lifted by its own ESP’s account, by its own source, and by no other', () => {
  const left = withAccounts(
    stateOf({ subscriptions: [{ scope: 'all', unsubscribed: evidence(5), subscribed_at: null }] }),
  );
  const join = (esp: string, source: string, account: string | null) =>
    named(learn(left, eventOf('subscribed', { esp, source, account, occurred_at: START + 9 })));
  expect(join('sendgrid', 'other', null)).toEqual([]);
  expect(join('sendgrid', 'main', 'shop')).toEqual([]);
  expect(join('sendgrid', 'other', 'shop')).toEqual(['unsubscribe all 5']);
  expect(join('ses', 'other', null)).toEqual(['unsubscribe all 5']);
});

test('a resubscription of an unknown ESP, from the far future, lifts nothing that is new', () => {
  const year2099 = Date.UTC(2099, 0, 1);
  const old = { scope: 'all', unsubscribed: evidence(5), subscribed_at: year2099 };
  const state = withAccounts(stateOf({ subscriptions: [old], delivered_at: year2099 }));
  expect(named(state)).toEqual([]);
  const left = eventOf('unsubscribed', { event_id: '9'.padStart(32, '0') });
  expect(named(learn(state, left))).toEqual(['unsubscribe all 9']);
  const run = Array.from({ length: 5 }, () => eventOf('bounced', { bounce_class: 'soft' }));
  const bounced = run.reduce((before, event) => learn(before, event), state);
  expect(reasonsOf(bounced, RULE)).toMatchObject([{ reason: 'soft_bounces' }]);
});
