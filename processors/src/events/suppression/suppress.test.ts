import type { EmailEvent, RecipientState, Suppression } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { batchSettings, decodeAll } from '../../testing/codecs.ts';
import { eventOf, START } from '../../testing/records.ts';
import { stateCodec } from '../state/partition-store.ts';
import { DEFAULT_POLICY, NO_STATE, policiesOf } from './accounts.ts';
import { actionOf, idOf } from './history.fixture.ts';
import { Suppress } from './suppress.ts';

const ANN = 'ann@example.com';
const NOW = START + 1_000_000;
const settings = batchSettings();
const codec = stateCodec();

function suppressWith(state: RecipientState | undefined = undefined, now = NOW, more = {}): Suppress {
  return new Suppress(() => state, { ...settings, ...more }, now);
}
const tell = (suppress: Suppress) =>
  decodeAll<Suppression>(
    'suppression',
    [...suppress.suppressions()].map(({ value }) => value),
  );
async function after(before: RecipientState | undefined, ...events: EmailEvent[]) {
  const suppress = suppressWith(before);
  for (const event of events) suppress.learn(ANN, event);
  const [told] = await tell(suppress);
  return { told, state: suppress.states.get(ANN) ?? undefined };
}
const at = (time: number) => ({ occurred_at: START + time });

test('a suppression is told when the reasons change, and only then', async () => {
  const hard = eventOf('bounced', at(5));
  const { told, state } = await after(undefined, hard);
  expect(told).toMatchObject({
    recipient: ANN,
    suppressed: true,
    changed_at: hard.occurred_at,
    event_id: hard.event_id,
    reasons: [{ reason: 'hard_bounce' }],
  });
  expect((await after(undefined, eventOf('bounced', { bounce_class: 'soft' }))).told).toBeUndefined();
  expect((await after(state, eventOf('bounced', at(9)))).told).toBeUndefined();
  expect((await after(state, eventOf('delivered', at(9)))).told).toBeUndefined();
  // Leaving one list suppresses on that list, not altogether.
  const left = await after(undefined, eventOf('unsubscribed', { scope: 'news', ...at(6) }));
  expect(left.told).toMatchObject({ suppressed: false, reasons: [{ scope: 'news' }] });
  const back = eventOf('subscribed', { scope: 'news', ...at(7) });
  expect((await after(left.state, back)).told).toMatchObject({ suppressed: false, reasons: [] });
});

test('revisions grow, whatever the clock says', async () => {
  const first = await after(undefined, eventOf('bounced'));
  expect(first.told?.revision).toBe(NOW);
  expect(first.state?.revision).toBe(NOW);
  // The clock stands still, or goes back.
  const second = await after(first.state, eventOf('complained'));
  expect(second.told?.revision).toBe(NOW + 1);
  const unchanged = await after(second.state, eventOf('complained'));
  expect(unchanged.state?.revision).toBe(NOW + 1);
  const far = { ...NO_STATE, revision: NOW + 5_000 };
  expect((await after(far, eventOf('bounced'))).told?.revision).toBe(NOW + 5_001);
});

test('an order tells whether what is suppressed changed by it', async () => {
  const suppress = suppressWith();
  const order = (kind: 'suppress' | 'lift', id: number, time: number) =>
    suppress.take(ANN, actionOf(kind, { action_id: idOf(id), at: START + time }));
  expect(order('suppress', 1, 1)).toBe(true);
  // The same again is another order that changes nothing.
  expect(order('suppress', 2, 2)).toBe(false);
  expect(order('suppress', 2, 2)).toBe(false);
  expect(await tell(suppress)).toMatchObject([
    { changed_at: START + 2, event_id: idOf(2), reasons: [{ reason: 'manual', event_id: idOf(2) }] },
  ]);
  expect(order('lift', 3, 3)).toBe(true);
  expect(order('lift', 4, 4)).toBe(false);
  expect(await tell(suppress)).toMatchObject([{ suppressed: false, reasons: [], event_id: idOf(3) }]);
});

test('the configuration of its source decides what an event may do', () => {
  const policyOf = (source: string) =>
    ({ suppresses: source === 'main' ? 'nothing' : 'all', lifts: 'own' }) as const;
  const suppress = suppressWith(undefined, NOW, { policyOf });
  suppress.learn(ANN, eventOf('bounced'));
  expect(suppress.states.size).toBe(0);
  suppress.learn(ANN, eventOf('bounced', { source: 'other' }));
  expect(suppress.states.size).toBe(1);
});

test('a state from before accounts were told apart is written as one that tells them apart', async () => {
  const evidence = { at: START, esp: 'sendgrid', source: 'main', event_id: idOf(1), detail: null };
  const old = { ...NO_STATE, complaint: { ...evidence, received_at: null } };
  const { told, state } = await after(old, eventOf('bounced'));
  expect(state).toMatchObject({ complaint: null, accounts: [{ account: 'sendgrid' }] });
  expect(told?.reasons.map(({ reason }) => reason)).toEqual(['hard_bounce', 'complaint']);
  // Nothing new is said: nothing is written.
  expect((await after(old, eventOf('complained', { feedback_type: 'not-spam' }))).state).toBeUndefined();
});

const HOSTILE = [
  '\ud800',
  '\u0000',
  '\udc00\ud800',
  'x'.repeat(1_000_000),
  'ü'.repeat(500_000),
  '',
  '__proto__',
];
test.each(HOSTILE.map((text) => [text.slice(0, 10), text]))('no text (%j) is too much', async (_, text) => {
  const fields = { source: text, account: text, scope: text, method: text, diagnostic: text };
  const types = ['bounced', 'complained', 'unsubscribed', 'subscribed', 'delivered'] as const;
  const events = types.map((type) => eventOf(type, { ...fields, esp: text, feedback_type: text }));
  const { told, state } = await after(undefined, ...events);
  const reasons = told?.reasons.map(({ reason }) => reason) ?? [];
  expect(reasons).toEqual(expect.arrayContaining(['hard_bounce', 'complaint']));
  // A state that was written and read again is the same: repeated events change nothing.
  expect(policiesOf({})(text)).toBe(DEFAULT_POLICY);
  const bytes = codec.encode(state as RecipientState);
  expect(bytes.length).toBeLessThan(8_000);
  expect((await after(codec.decode(bytes), ...events)).state).toBeUndefined();
  const suppress = suppressWith(state);
  for (const kind of ['suppress', 'lift', 'retract'] as const) {
    const said = { by: text, why: text, reason: text, scope: text, source: text };
    suppress.take(ANN, actionOf(kind, { action_id: idOf(kind.length), ...said }));
  }
  expect(codec.encode(suppress.states.get(ANN) as RecipientState).length).toBeLessThan(8_000);
  await tell(suppress);
});
