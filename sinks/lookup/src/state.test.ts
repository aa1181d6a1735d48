import { pseudonymsOf } from '@email-events/core';
import { Secret } from '@email-events/core/config';
import { describe, expect, test } from 'vitest';
import { ReasonKinds } from './kinds.ts';
import { NO_REASON, ReasonLists } from './reason-lists.ts';
import { type Fingerprint, Recipients } from './recipients.ts';
import { SuppressionState } from './state.ts';
import { AT, reason, suppression } from './testing/index.ts';

/** Numbers in [0, 1) that are the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('recipients', () => {
  test('hold what a map holds, whatever is put in and taken out in which order', () => {
    const random = seeded(7);
    const table = new Recipients('salt');
    const map = new Map<string, number>();
    for (let step = 0; step < 60_000; step++) {
      const who = `r${Math.floor(random() * 12_000)}@example.com`;
      const of = table.fingerprintOf(who);
      if (random() < 0.4) {
        table.delete(of);
        map.delete(who);
      } else {
        table.set(of, { revision: step, reasons: step % 1_000 });
        map.set(who, step);
      }
    }
    expect(table.size).toBe(map.size);
    const found = new Map<string, number>();
    for (let n = 0; n < 12_000; n++) {
      const who = `r${n}@example.com`;
      const { revision, reasons } = table.get(table.fingerprintOf(who)) ?? {};
      if (revision !== undefined && reasons === revision % 1_000) found.set(who, revision);
    }
    expect([...found].sort()).toEqual([...map].sort());
  });

  test('a gap is closed around the end of a segment: what stood behind it is found', () => {
    const table = new Recipients('salt');
    // All at home in the last slots of one segment, so that they run over its end.
    const all = Array.from({ length: 10 }, (_, n): Fingerprint => [0xffffffff - n, 0, n]);
    for (const [n, of] of all.entries()) table.set(of, { revision: n, reasons: n });
    for (const [n, of] of all.entries()) {
      table.delete(of);
      for (const [later, other] of all.entries())
        expect(table.get(other)).toEqual(later > n ? { revision: later, reasons: later } : undefined);
    }
    expect(table.size).toBe(0);
  });

  test('two that differ in any of the words are two', () => {
    const table = new Recipients('salt');
    table.set([5, 4_096, 9], { revision: 1, reasons: 1 });
    for (const other of [
      [6, 4_096, 9],
      [5, 8_192, 9],
      [5, 4_096, 10],
    ] as const)
      expect(table.get(other)).toBeUndefined();
  });
});

describe('lists of reasons', () => {
  test('what is freed is used again', () => {
    const lists = new ReasonLists();
    const make = (count: number) => {
      let list = NO_REASON;
      for (let n = 0; n < count; n++) list = lists.push(list, n, AT + n);
      return list;
    };
    const first = make(70_000);
    const bytes = lists.bytes;
    const freed: number[] = [];
    lists.drop(first, (kind) => freed.push(kind));
    expect(freed.sort((a, b) => a - b)).toEqual(Array.from({ length: 70_000 }, (_, n) => n));
    expect(lists.size).toBe(0);
    const again = make(70_000);
    expect(lists.bytes).toBe(bytes);
    const seen: [number, number][] = [];
    lists.each(again, (kind, since) => seen.push([kind, since]));
    expect(seen).toHaveLength(70_000);
    expect(seen[0]).toEqual([69_999, AT + 69_999]);
    expect(seen.at(-1)).toEqual([0, AT]);
  });
});

describe('kinds', () => {
  const kind = { reason: 'unsubscribe', scope: 'news', esp: 'postmark', source: 'main', account: null };
  test('are kept once, and as long as they are used', () => {
    const kinds = new ReasonKinds();
    const bytes = kinds.bytes;
    const ids = [kinds.take(kind), kinds.take({ ...kind }), kinds.take({ ...kind, account: 'shop' })];
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
    expect(kinds.of(ids[2] ?? 0)).toEqual({ ...kind, account: 'shop' });
    for (const id of ids) kinds.release(id);
    expect([kinds.size, kinds.bytes]).toEqual([0, bytes]);
    expect(() => kinds.of(ids[0] ?? 0)).toThrow(RangeError);
  });
});

describe('state', () => {
  const news = reason({ reason: 'unsubscribe', scope: 'news', account: 'shop', since: AT + 5 });

  test('is what the newest record says: reasons in its order, without event ids and details', () => {
    const state = new SuppressionState();
    state.put('a@x.org', suppression('a@x.org', [reason()], { revision: 7 }));
    state.put('a@x.org', suppression('a@x.org', [reason({ reason: 'complaint' }), news], { revision: 8 }));
    expect(state.get('a@x.org')).toEqual({
      revision: 8,
      reasons: [
        { reason: 'complaint', scope: 'all', esp: 'postmark', source: 'main', account: null, since: AT },
        {
          reason: 'unsubscribe',
          scope: 'news',
          esp: 'postmark',
          source: 'main',
          account: 'shop',
          since: AT + 5,
        },
      ],
    });
    expect(state.get('b@x.org')).toBeUndefined();
    state.put('a@x.org', suppression('a@x.org', [], { revision: 9 }));
    expect(state.get('a@x.org')).toEqual({ revision: 9, reasons: [] });
  });

  test('an earlier revision changes nothing; without revisions the later record counts', () => {
    const state = new SuppressionState();
    state.put('a@x.org', suppression('a@x.org', [reason()], { revision: 8 }));
    state.put('a@x.org', suppression('a@x.org', [], { revision: 7 }));
    expect(state.get('a@x.org')?.reasons).toHaveLength(1);
    state.put('a@x.org', suppression('a@x.org', [], { revision: 0 }));
    state.put('a@x.org', suppression('a@x.org', [reason(), news], { revision: 0 }));
    expect(state.get('a@x.org')?.reasons).toHaveLength(2);
  });

  test('nothing is left of an erased recipient', () => {
    const state = new SuppressionState();
    state.put('b@x.org', suppression('b@x.org', [reason()]));
    const { bytes } = state;
    state.put('a@x.org', suppression('a@x.org', [news]));
    state.delete('a@x.org');
    state.delete('never@x.org');
    expect(state.get('a@x.org')).toBeUndefined();
    expect([state.size, state.bytes]).toEqual([1, bytes]);
  });

  test('a record that cannot be read speaks against everything, until one follows that can', () => {
    const state = new SuppressionState();
    state.put('a@x.org', suppression('a@x.org', [], { revision: 3 }));
    state.putUnreadable('a@x.org', AT);
    state.putUnreadable('a@x.org', AT + 1);
    state.putUnreadable('b@x.org', AT);
    expect(state.unreadable).toBe(2);
    expect(state.get('a@x.org')?.reasons).toMatchObject([
      { reason: 'unreadable', scope: 'all', since: AT + 1 },
    ]);
    state.put('a@x.org', suppression('a@x.org', [], { revision: 4 }));
    expect(state.get('a@x.org')?.reasons).toEqual([]);
    state.delete('b@x.org');
    expect(state.unreadable).toBe(0);
  });

  test('a state that suppresses and says no reason for it speaks against everything', () => {
    const state = new SuppressionState();
    state.put('a@x.org', suppression('a@x.org', [news], { suppressed: true }));
    expect(state.get('a@x.org')?.reasons.map(({ reason: of, scope }) => [of, scope])).toEqual([
      ['unsubscribe', 'news'],
      ['unsaid', 'all'],
    ]);
  });
});

test('an address that was erased is answered by what stands for it, until it is known again', () => {
  const [pseudonym] = pseudonymsOf({ erasure: { keys: [new Secret('k'.repeat(32))], graceDays: 30 } });
  if (!pseudonym) throw new Error('there is a key');
  const her = pseudonym('ann@example.com');
  const state = new SuppressionState(undefined, [pseudonym]);
  state.put('ann@example.com', suppression('ann@example.com', [reason()], { revision: 5 }));
  state.delete('ann@example.com');
  expect(state.get('ann@example.com')).toBeUndefined();
  state.put(her, suppression(her, [reason()], { revision: 6 }));
  expect(state.get('ann@example.com')).toMatchObject({ revision: 6 });
  expect(state.get('eve@example.com')).toBeUndefined();
  expect(state.lacksKeys).toBe(false);
  const without = new SuppressionState();
  without.put(her, suppression(her, [reason()], { revision: 6 }));
  expect(without.lacksKeys).toBe(true);
  state.put('ann@example.com', suppression('ann@example.com', [reason()], { revision: 7 }));
  expect(state.get('ann@example.com')).toMatchObject({ revision: 7 });
  state.delete(her);
  state.delete('ann@example.com');
  expect(state.get('ann@example.com')).toBeUndefined();
});
