import { pseudonymsOf } from '@email-events/core';
import { Secret } from '@email-events/core/config';
import type { EmailEvent, OperatorAction, RecipientState, Suppression } from '@email-events/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchSettings, decodeAll } from '../testing/codecs.ts';
import { eventOf, recordOf, START } from '../testing/records.ts';
import { Batch, type KnownState } from './batch.ts';
import { actionOf, DAY, idOf } from './suppression/history.fixture.ts';

const ANN = 'ann@example.com';
const KEYS = [new Secret('k'.repeat(32)), new Secret('old'.repeat(12))];
const [pseudonym, former] = pseudonymsOf({ erasure: { keys: KEYS, graceDays: 30 } });
if (!pseudonym || !former) throw new Error('there are two keys');
const HER = pseudonym(ANN);
const ERASED_AT = START + DAY;
const GRACE = 30 * DAY;

type Said = EmailEvent | OperatorAction;

/** A partition of `events`, a transaction at a time. */
class World {
  readonly states = new Map<string, RecipientState>();
  readonly ids = new Set<string>();
  /** Newest records of email.suppressions, by key. */
  readonly suppressions = new Map<string, Suppression>();
  /** Keys of typed events. */
  readonly emitted: (string | Buffer | null)[] = [];
  readonly actions: OperatorAction[] = [];
  readonly failures: string[] = [];
  /** Records of email.suppressions, in order. */
  readonly told: string[] = [];
  totals = { received: 0, emitted: 0, duplicates: 0, deadLettered: 0, erased: 0 };
  /** Everything that was written, as text. */
  written = '';
  private readonly pseudonyms;

  constructor(pseudonyms = [pseudonym, former]) {
    this.pseudonyms = pseudonyms.flatMap((one) => one ?? []);
  }

  async transact(...said: readonly Said[]): Promise<this> {
    const known: KnownState = {
      has: (id) => this.ids.has(id),
      recipient: (key) => this.states.get(key),
      hasErased: [...this.states.keys()].some((key) => key.startsWith('ERASED:')),
    };
    const erasure = { pseudonyms: this.pseudonyms, graceMs: GRACE };
    const batch = new Batch(known, { ...batchSettings(), erasure, clock: () => ERASED_AT }, 0);
    const record = recordOf(Buffer.from('bytes'), { offset: 7 });
    for (const [index, one] of said.entries())
      if ('kind' in one) batch.take(record, one, index);
      else batch.add(record, one, index);
    for (const id of batch.ids) this.ids.add(id);
    for (const [key, state] of batch.recipients)
      if (state) this.states.set(key, state);
      else this.states.delete(key);
    this.failures.push(...batch.failures.map(({ message }) => message));
    this.totals = batch.totals(this.totals);
    for (const { topic, key, value } of batch.outputs) {
      this.written += `${key} ${value}`;
      if (topic.startsWith('email.events.')) this.emitted.push(key);
      if (topic === 'email.operator-actions')
        this.actions.push(...(await decodeAll<OperatorAction>('operatorAction', [value])));
      if (topic !== 'email.suppressions') continue;
      this.told.push(`${key}${value === null ? ' ends' : ''}`);
      const [told] = await decodeAll<Suppression>('suppression', [value]);
      if (told) this.suppressions.set(String(key), told);
      else this.suppressions.delete(String(key));
    }
    return this;
  }
}

// Far from the ids of events.
let n = 2 ** 40;
const erase = (more: Partial<OperatorAction> = {}) =>
  actionOf('erase', { action_id: idOf(n++), at: ERASED_AT, why: 'she asked', ...more });
const event = (type: EmailEvent['type'], days: number, more: Partial<EmailEvent> = {}) =>
  eventOf(type, { recipient: ANN, occurred_at: ERASED_AT + days * DAY, ...more });
const text = 'smtp; 550 <ann@example.com> is no more';
const bounce = (days: number) => event('bounced', days, { bounce_class: 'hard', diagnostic: text });

test('who is erased is known by nothing but a pseudonym, under which she must not be mailed', async () => {
  const world = await new World().transact(bounce(-1), event('delivered', -2));
  expect([...world.suppressions.keys()]).toEqual([ANN]);
  const before = world.suppressions.get(ANN)?.revision ?? 0;
  world.written = '';
  await world.transact(erase());
  expect([...world.states.keys()]).toEqual([HER]);
  expect([...world.suppressions.keys()]).toEqual([HER]);
  const told = world.suppressions.get(HER);
  expect(told).toMatchObject({ recipient: HER, suppressed: true, reasons: [{ reason: 'hard_bounce' }] });
  expect(told?.revision).toBeGreaterThan(before);
  // At no moment neither is there.
  expect(world.told).toEqual([ANN, HER, `${ANN} ends`]);
  // Her address is written where it is taken away, and nowhere else.
  expect(world.written.replace(`${ANN} null`, '').replace(`${ANN} null`, '')).not.toContain('ann@');
  expect(world.actions).toMatchObject([{ kind: 'erase', recipient: HER, by: 'op', why: 'she asked' }]);
});

test('in one transaction with what it erases, it is the same', async () => {
  const world = await new World().transact(bounce(-1), erase(), event('clicked', 1));
  expect(world.told).toEqual([HER, `${ANN} ends`]);
  expect(world.totals).toMatchObject({ received: 2, emitted: 1, erased: 1 });
});

test('late events bring nobody back, whenever they come; what they say against mail counts', async () => {
  const world = await new World().transact(erase());
  await world.transact(event('opened', -40), event('clicked', 29), event('complained', 3), bounce(4));
  expect(world.emitted).toEqual([]);
  expect([...world.states.keys()]).toEqual([HER]);
  const reasons = world.suppressions.get(HER)?.reasons.map(({ reason, detail }) => [reason, detail]);
  expect(reasons).toEqual([
    ['hard_bounce', null],
    ['complaint', null],
  ]);
  expect(world.totals).toMatchObject({ received: 4, emitted: 0, erased: 4 });
});

test('again, of whom nothing was known, and with another key, it is done once', async () => {
  const world = await new World([former]).transact(bounce(-1), erase());
  const [only] = world.states.keys();
  expect(only).toBe(former(ANN));
  const later = new World();
  for (const [key, state] of world.states) later.states.set(key, state);
  await later.transact(erase(), event('opened', 30.5));
  expect([...later.states.keys()]).toEqual([only]);
  expect(later.emitted).toEqual([]);
  const unknown = await new World().transact(erase(), erase());
  expect([...unknown.states.keys()]).toEqual([HER]);
  expect(unknown.suppressions.size).toBe(0);
});

test('what operators say of her reaches what is kept, and does not make her known', async () => {
  const world = await new World().transact(bounce(-1), erase());
  await world.transact(actionOf('suppress', { action_id: idOf(n++), why: 'ann@example.com' }));
  expect(world.suppressions.get(HER)?.reasons.map(({ reason }) => reason)).toEqual(['hard_bounce', 'manual']);
  await world.transact(actionOf('lift', { action_id: idOf(n++), at: START + 50 * DAY }));
  expect(world.suppressions.get(HER)).toMatchObject({ suppressed: false, reasons: [] });
  expect([...world.states.keys()]).toEqual([HER]);
  expect(JSON.stringify([...world.states.values()])).not.toContain('ann@');
});

test('who is written about anew after the time of grace is known again, must still not be mailed, and what is older stays out', async () => {
  const world = await new World().transact(bounce(-1), erase());
  // Mail of before may be opened whenever she likes.
  await world.transact(event('opened', 31), event('complained', 31));
  expect(world.emitted).toHaveLength(1);
  expect([...world.states.keys()]).toEqual([HER]);
  await world.transact(event('delivered', 31), event('opened', 2));
  expect(world.emitted).toHaveLength(2);
  expect(world.told.slice(-2)).toEqual([ANN, `${HER} ends`]);
  expect([...world.suppressions]).toMatchObject([[ANN, { recipient: ANN, suppressed: true }]]);
  await world.transact(event('clicked', 5), event('clicked', 32));
  expect(world.emitted).toHaveLength(3);
  expect(world.totals).toEqual({ received: 7, emitted: 3, duplicates: 0, deadLettered: 0, erased: 4 });
  await world.transact(erase());
  expect([...world.states.keys()]).toEqual([HER]);
  expect([...world.suppressions.keys()]).toEqual([HER]);
});

test('a state from before there were revisions is taken from the topic as well', async () => {
  const world = await new World().transact(bounce(-1));
  const state = world.states.get(ANN);
  if (!state) throw new Error('she is known');
  world.states.set(ANN, { ...state, revision: 0 });
  await world.transact(erase());
  expect([...world.suppressions.keys()]).toEqual([HER]);
});

test('nothing that is told of her can be made of her address without the key', async () => {
  const world = await new World().transact(bounce(-1));
  const orders = [erase(), actionOf('suppress', { action_id: idOf(n++), why: 'ann@example.com wrote' })];
  for (const order of orders) await world.transact(order);
  const ids = orders.map(({ action_id }) => action_id);
  expect(world.actions.map(({ why }) => why)).toEqual(['she asked', '']);
  for (const { action_id, recipient } of world.actions) {
    expect(recipient).toBe(HER);
    expect(ids).not.toContain(action_id);
  }
  const kept = JSON.stringify([...world.states.values(), ...world.suppressions.values()]);
  for (const id of ids) expect(kept).not.toContain(id);
});

test('without a key nobody can be erased', async () => {
  const world = await new World([]).transact(bounce(-1), erase());
  expect(world.failures).toEqual(['nobody can be erased without erasure.keys']);
  expect([...world.states.keys()]).toEqual([ANN]);
});

test('others are as they were', async () => {
  const others = (world: World) => [
    world.emitted.filter((key) => key !== ANN),
    world.states.get('eve@example.com'),
  ];
  const eve = [
    eventOf('bounced', { recipient: 'eve@example.com' }),
    eventOf('opened', { recipient: 'eve@example.com' }),
  ];
  const [plain, erased] = [new World(), new World()];
  await plain.transact(...eve);
  await erased.transact(erase(), ...eve);
  expect(others(erased)).toEqual(others(plain));
});

test('however events and the erasure are dealt into transactions: nothing of before the time of grace is emitted after it, and nobody may mail her who might not before', async () => {
  const steps = fc.array(
    fc.record({
      type: fc.constantFrom<EmailEvent['type']>(
        'bounced',
        'complained',
        'unsubscribed',
        'delivered',
        'opened',
      ),
      days: fc.integer({ min: -20, max: 29 }),
      begins: fc.boolean(),
    }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(12), async (dealt, place) => {
      const said = dealt.map(({ type, days, begins }) => ({ one: event(type, days) as Said, begins }));
      said.splice(place, 0, { one: erase(), begins: false });
      const [world, plain] = [new World(), new World()];
      let transaction: Said[] = [];
      for (const { one, begins } of said) {
        if (begins) await world.transact(...transaction.splice(0));
        transaction.push(one);
      }
      await world.transact(...transaction.splice(0));
      const events = said.flatMap(({ one }) => ('kind' in one ? [] : [one]));
      await plain.transact(...events);
      transaction = [];
      expect([...world.states.keys()]).toEqual([HER]);
      expect(world.emitted).toHaveLength(said.findIndex(({ one }) => 'kind' in one));
      const scopesOf = (told: Suppression | undefined) =>
        told?.reasons.map(({ reason, scope }) => `${reason} ${scope}`) ?? [];
      expect(scopesOf(world.suppressions.get(HER))).toEqual(scopesOf(plain.suppressions.get(ANN)));
      const { received, emitted, duplicates, deadLettered, erased } = world.totals;
      expect(received).toBe(emitted + duplicates + deadLettered + erased);
    }),
    { numRuns: 150 },
  );
});
