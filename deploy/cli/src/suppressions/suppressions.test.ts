import { keyOfAddress, partitionOf } from '@email-events/schemas';
import { describe, expect, test } from 'vitest';
import { keysOfAddresses, keysOfRecipients } from './address.ts';
import { lift, recordsOf, retract, retractId, suppress } from './orders.ts';

const ORDER = { by: 'maria', at: 1_790_000_000_000, why: 'asked by phone' };

describe('addresses', () => {
  test.each([
    ['Ann@Example.COM ', 'ann@example.com'],
    ['ann+tag@sub.example.org', 'ann+tag@sub.example.org'],
    ['käthe@müller.example', 'käthe@xn--mller-kva.example'],
  ])('%s is one', (address, key) => {
    expect(keyOfAddress(address)).toBe(key);
  });

  test.each([
    ['no domain', 'ann'],
    ['an empty local part', '@example.com'],
    ['an empty domain', 'ann@'],
    ['a name beside it', 'Ann <ann@example.com>'],
    ['two of them', 'ann@example.com,bob@example.com'],
    ['a blank', 'ann smith@example.com'],
    ['a control character', 'ann\u0007@example.com'],
    ['a domain of one word', 'ann@example'],
    ['a domain with two dots', 'ann@example..com'],
    ['a label that begins with a hyphen', 'ann@-example.com'],
    ['more than an address may have', `${'a'.repeat(400)}@example.com`],
  ])('%s is none', (_, address) => {
    expect(keyOfAddress(address)).toBeUndefined();
  });

  test('each recipient is meant once; one bad address refuses all, by name', () => {
    expect(keysOfAddresses(['b@x.org', 'A@x.org', 'a@X.org'])).toEqual(['b@x.org', 'a@x.org']);
    expect(() => keysOfAddresses(['a@x.org', 'nobody'])).toThrow(
      expect.objectContaining({ code: 'CLI_USAGE', message: 'no email address: "nobody"' }),
    );
  });
});

test('who is erased may be what is no address, since ESPs report that; nothing is nobody', () => {
  const named = [' Bob SMITH ', 'bob smith', 'A@Müller.example'];
  expect(keysOfRecipients(named)).toEqual(['bob smith', 'a@xn--mller-kva.example']);
  for (const none of ['  ', 'a\u0007@x.org'])
    expect(() => keysOfRecipients(['b@x.org', none])).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
});

describe('actions', () => {
  test('the same words at another time are another action; of a source they are the same for good', () => {
    const later = { ...ORDER, at: ORDER.at + 1 };
    expect(suppress('a@x.org', 'all', ORDER).action_id).toBe(suppress('a@x.org', 'all', ORDER).action_id);
    expect(suppress('a@x.org', 'all', ORDER).action_id).not.toBe(suppress('a@x.org', 'all', later).action_id);
    const said = { source: 'main', from: 1, to: 2 };
    const ids = [ORDER, { ...later, by: 'tom', why: 'again' }].map(
      (order) => retract('a@x.org', said, order).action_id,
    );
    expect(ids).toEqual([retractId('a@x.org', said), retractId('a@x.org', said)]);
    expect(retractId('a@x.org', { ...said, to: 3 })).not.toBe(ids[0]);
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test('each kind says what it needs, and nothing of the others', () => {
    const none = { source: null, from: null, to: null, changed: null, taken_at: null };
    expect(lift('a@x.org', { reason: 'complaint', scope: null }, ORDER)).toMatchObject({
      ...none,
      ...ORDER,
      ...{ kind: 'lift', reason: 'complaint', scope: null },
    });
    expect(suppress('a@x.org', 'news', ORDER)).toMatchObject({ ...none, kind: 'suppress', scope: 'news' });
    expect(retract('a@x.org', { source: 'main', from: 1, to: 2 }, ORDER)).toMatchObject({
      ...{ kind: 'retract', source: 'main', from: 1, to: 2, reason: null, scope: null },
    });
  });

  test('go to the partitions of their recipients, in order, in records that do not grow', () => {
    const actions = Array.from({ length: 1_000 }, (_, n) => suppress(`r${n}@x.org`, 'all', ORDER));
    const records = recordsOf(actions, 3);
    expect(records.flatMap(({ batch }) => batch.actions)).toHaveLength(1_000);
    for (const { partition, batch } of records) {
      expect(batch.actions.length).toBeLessThanOrEqual(200);
      for (const { recipient } of batch.actions) expect(partitionOf(recipient, 3)).toBe(partition);
    }
    const ofFirst = records.filter(({ partition }) => partition === 0).flatMap(({ batch }) => batch.actions);
    expect(ofFirst).toEqual(actions.filter(({ recipient }) => partitionOf(recipient, 3) === 0));
  });
});
