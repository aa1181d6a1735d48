import { avroType, type EmailEvent, type RecipientState } from '@email-events/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventOf, START } from '../../testing/records.ts';
import { DEFAULT_POLICY, NO_STATE } from './accounts.ts';
import {
  MAX_REASONS_BYTES,
  MAX_STATE_BYTES,
  MAX_WORDS,
  reasonsBytes,
  stateBytes,
  withinBounds,
} from './bounds.ts';
import { actionOf, DAY, history, idOf, learnAll, NOW, RULE } from './history.fixture.ts';
import { learn } from './learn.ts';
import { withAccounts } from './legacy.ts';
import { reasonsOf } from './reasons.ts';
import { MAX_SCOPES } from './reductions.ts';
import { addWord, wordOf } from './words.ts';

const OWN_STREAMS = { suppresses: 'own-streams', lifts: 'own' } as const;
const type = avroType('recipientState');
const learnt = (events: readonly EmailEvent[], policy = DEFAULT_POLICY, from = NO_STATE) =>
  events.reduce((state, event) => withinBounds(learn(state, event, policy), RULE), from);
const named = (state: RecipientState) =>
  reasonsOf(state, RULE).map(({ reason, scope }) => `${reason} ${scope}`);
const leave = (scope: string, more: Partial<EmailEvent> = {}) => eventOf('unsubscribed', { scope, ...more });
const streams = (count: number, more: Partial<EmailEvent> = {}) =>
  Array.from({ length: count }, (_, i) => leave(`list ${i}`, more));

test('the size of a state and of its reasons is never told too small', () => {
  fc.assert(
    fc.property(
      history(40),
      fc.array(fc.string({ maxLength: 300, unit: 'binary' }), { maxLength: 30 }),
      (said, texts) => {
        const state = texts.reduce(
          (before, text) =>
            learn(before, leave(text, { source: text, method: text.repeat(3), account: text })),
          learnAll(said),
        );
        expect(type.toBuffer(state).length).toBeLessThanOrEqual(stateBytes(state));
        const reasons = reasonsOf(state, RULE);
        const record = { recipient: '', suppressed: true, reasons, changed_at: 0, event_id: '', revision: 0 };
        expect(avroType('suppression').toBuffer(record).length).toBeLessThanOrEqual(
          reasonsBytes(reasons) + 20,
        );
      },
    ),
    { numRuns: 40 },
  );
});

test('a state within its bounds is left as it is', () => {
  fc.assert(
    fc.property(history(15), (said) => {
      const state = learnAll(said);
      if (stateBytes(state) <= MAX_STATE_BYTES) expect(withinBounds(state, RULE)).toBe(state);
    }),
  );
});

/** Everything that may suppress, far more of it than a record holds. */
const crowded = fc
  .record({
    accounts: fc.constantFrom(1, 2, 3, 8, 14),
    scopes: fc.constantFrom(0, 3, 20, 53),
    softs: fc.constantFrom(0, 5, 34),
    texts: fc.constantFrom('', 'x'.repeat(900), 'ü'.repeat(400), '\ud800\u0000'.repeat(200)),
    words: fc.integer({ min: 0, max: 60 }),
    limited: fc.boolean(),
    said: history(30),
  })
  .map(({ accounts, scopes, softs, texts, words, limited, said }) => {
    let state = learnAll(said);
    let n = 0;
    for (let a = 0; a < accounts; a++) {
      const policy = limited && a % 3 === 0 ? OWN_STREAMS : DEFAULT_POLICY;
      const from = { source: `source-${a}-${'s'.repeat(50)}`, account: `account-${a}-${'a'.repeat(45)}` };
      const event = (type: EmailEvent['type'], more: Partial<EmailEvent>) => {
        const occurred_at = START + ++n * 60_000;
        const detail = { diagnostic: texts, method: texts, feedback_type: texts };
        const id = { event_id: idOf(100_000 + n), occurred_at, received_at: occurred_at };
        state = learn(state, eventOf(type, { ...from, ...detail, ...id, ...more }), policy);
      };
      for (let i = 0; i < softs; i++) event('bounced', { bounce_class: 'soft' });
      if (a % 2 === 0) event('bounced', {});
      if (a % 5 === 0) event('complained', {});
      for (let i = 0; i < scopes; i++) event('unsubscribed', { scope: `${texts}${i}` });
      if (a % 4 === 0) event('subscribed', { scope: `${texts}0` });
      if (a % 4 === 1) event('unsubscribed', { scope: 'all' });
    }
    for (let i = 0; i < words; i++) {
      const kind = i % 3 === 0 ? ('suppress' as const) : ('lift' as const);
      const action = actionOf(kind, {
        ...{ action_id: idOf(200_000 + i), at: START + i, why: texts, by: texts },
        ...{ scope: `${texts}${i}`, reason: i % 2 ? 'unsubscribe' : 'complaint' },
      });
      state = { ...state, words: addWord(state.words, wordOf(action, NOW)) };
    }
    return state;
  });

test('whatever is said, a record is small, and every recipient that was suppressed still is', () => {
  fc.assert(
    fc.property(crowded, (state) => {
      const bounded = withinBounds(state, RULE);
      expect(type.toBuffer(bounded).length).toBeLessThanOrEqual(MAX_STATE_BYTES);
      expect(reasonsBytes(reasonsOf(bounded, RULE))).toBeLessThanOrEqual(MAX_REASONS_BYTES);
      const scopes = new Set(reasonsOf(bounded, RULE).map(({ scope }) => scope));
      for (const { scope } of reasonsOf(state, RULE)) {
        expect(
          scopes.has(scope) || scopes.has('all') || [...scopes].some((one) => one.startsWith('account:')),
        ).toBe(true);
        if (scope === 'all') expect(scopes.has('all')).toBe(true);
      }
      // It stays so: what is written is what is read.
      expect(withinBounds(type.fromBuffer(type.toBuffer(bounded)), RULE)).toEqual(bounded);
    }),
    { numRuns: 60 },
  );
});

test('operators’ suppressions of many streams become one of all mail, which an older lift of all mail does not take back', () => {
  const words = Array.from({ length: MAX_WORDS + 1 }, (_, i) =>
    wordOf(actionOf('suppress', { action_id: idOf(i), at: START + i, scope: `list ${i}` }), NOW),
  );
  const lift = actionOf('lift', { action_id: idOf(1_000), at: START + DAY, scope: 'all' });
  const bounded = withinBounds({ ...NO_STATE, words: addWord(words, wordOf(lift, NOW)) }, RULE);
  expect(named(bounded)).toEqual(['manual all']);
  const later = actionOf('lift', { action_id: idOf(1_001), at: START + 2 * DAY, scope: 'all' });
  expect(named({ ...bounded, words: addWord(bounded.words, wordOf(later, NOW)) })).toEqual([]);
});

test('more streams than are kept apart become one, which nothing but an operator lifts', () => {
  const many = streams(MAX_SCOPES);
  expect(named(learnt(many))).toHaveLength(MAX_SCOPES);
  const last = leave('one more');
  const one = learnt([...many, last]);
  expect(reasonsOf(one, RULE)).toMatchObject([
    { reason: 'unsubscribe', scope: 'all', event_id: last.event_id },
  ]);
  // Who joins all mail again does not join every stream that was left.
  const joined = learn(one, eventOf('subscribed', { scope: 'all', occurred_at: START + DAY }));
  expect(named(joined)).toEqual(['unsubscribe all']);
  const lift = wordOf(actionOf('lift', { at: START + 2 * DAY }), NOW);
  expect(named({ ...joined, words: addWord([], lift) })).toEqual([]);
  // All mail is not one of them, and always has its place.
  expect(named(learnt([...many, leave('all')]))).toHaveLength(MAX_SCOPES + 1);
  // Nor does a lift of all mail alone, whenever it was ordered.
  const allMail = wordOf(actionOf('lift', { at: START + 2 * DAY, scope: 'all' }), NOW);
  expect(named({ ...joined, words: addWord([], allMail) })).toEqual(['unsubscribe all']);
  expect(named(learnt(streams(MAX_SCOPES + 1), OWN_STREAMS))).toEqual(['unsubscribe account:sendgrid']);
});

test('a true unsubscribe is taken, however many streams were left before', () => {
  const state = learnt(streams(500), DEFAULT_POLICY);
  expect(named(learnt([leave('all')], DEFAULT_POLICY, state))).toContain('unsubscribe all');
});

test('streams that were joined again do not count, and a recipient who comes and goes is not suppressed', () => {
  const comesAndGoes = Array.from({ length: 400 }, (_, i) => [
    leave(`list ${i}`, { occurred_at: START + 2 * i }),
    eventOf('subscribed', { scope: `list ${i}`, occurred_at: START + 2 * i + 1 }),
  ]).flat();
  const state = learnt(comesAndGoes);
  expect(named(state)).toEqual([]);
  expect(state.accounts[0]?.scopes.length).toBeLessThanOrEqual(2 * MAX_SCOPES);
});

test('an older record that is larger is read, and small from then on', () => {
  const evidence = (i: number) => ({
    ...{ at: START + i, esp: 'sendgrid', source: 'main', event_id: idOf(i) },
    ...{ detail: 'x'.repeat(500), received_at: null },
  });
  const subscriptions = Array.from({ length: 460 }, (_, i) => ({
    ...{ scope: `${i} ${'x'.repeat(300)}`, unsubscribed: evidence(i), subscribed_at: null },
  }));
  const lifted = subscriptions.map((entry) => ({ ...entry, subscribed_at: START + 1_000 }));
  const old = withAccounts(type.fromBuffer(type.toBuffer({ ...NO_STATE, subscriptions })));
  expect(named(old)).toHaveLength(460);
  expect(named(learnt([leave('all')], DEFAULT_POLICY, old))).toEqual(['unsubscribe all']);
  // Who had joined all of them again is not suppressed for it.
  const back = withAccounts({ ...NO_STATE, subscriptions: lifted });
  expect(named(learnt([eventOf('delivered')], DEFAULT_POLICY, back))).toEqual([]);
});

test('texts go before evidence, and evidence before what it says', () => {
  const texts = { diagnostic: 'x'.repeat(500), method: 'm'.repeat(500) };
  const bounces = Array.from({ length: 32 }, (_, i) =>
    eventOf('bounced', { ...texts, bounce_class: 'soft', occurred_at: START + i }),
  );
  const state = learnt([...bounces, ...streams(10, texts)]);
  expect(state.accounts[0]?.soft_bounces).toHaveLength(32);
  expect(state.accounts[0]?.soft_bounces[0]?.detail?.length).toBeLessThan(70);
  expect(named(state)).toHaveLength(11);
});

test('words beyond their number go, oldest first, and suppressions become one', () => {
  const orders = Array.from({ length: 60 }, (_, i) =>
    actionOf(i % 2 ? 'lift' : 'suppress', { action_id: idOf(i), at: START + i, scope: `list ${i}` }),
  );
  let state = NO_STATE;
  for (const action of orders) {
    const words = addWord(state.words, wordOf(action, NOW));
    state = withinBounds({ ...state, words }, RULE);
  }
  expect(state.words.length).toBeLessThanOrEqual(MAX_WORDS);
  expect(named(state)).toContain('manual all');
});
