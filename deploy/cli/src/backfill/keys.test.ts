import { pseudonymsOf } from '@email-events/core';
import { Secret } from '@email-events/core/config';
import type { EmailEvent } from '@email-events/schemas';
import { type ClickHouse, Hiding, keysInRows, storedAs } from '@email-events/sink-clickhouse';
import { expect, test } from 'vitest';
import { requireKeys } from './keys.ts';
import { knownEvents } from './known-events.ts';

const keysOf = (...letters: string[]) =>
  pseudonymsOf({ erasure: { keys: letters.map((letter) => new Secret(letter.repeat(40))), graceDays: 30 } });
const [now, before] = keysOf('n', 'b');
if (!now || !before) throw new Error('two keys');
const serverWith = (...rows: object[]) => ({ query: async () => rows }) as unknown as ClickHouse;
const eventOf = (event_id: string, recipient: string, more: Partial<EmailEvent> = {}) =>
  ({
    ...{ event_id, recipient, known_as: [], esp: 'ses', type: 'unsubscribed' },
    ...{ request_id: 'r1', item_index: 0, occurred_at: 5, received_at: 5 },
    ...more,
  }) as unknown as EmailEvent;
const rowOf = (recipient_key: string) => ({ request_id: 'r1', item_index: '0', recipient_key });
const unknown = () => false;

test('rows of a key that is gone are told by their item; with the key, or another one before it, all is well', async () => {
  const events = [eventOf('a', 'Ann@example.com'), eventOf('b', 'bob@example.com')];
  const rows = serverWith(rowOf(storedAs('bob@example.com', before)));
  const refused = { code: 'BACKFILL_KEY_MISSING' };
  for (const keys of [[], [now]])
    await expect(requireKeys(rows, events, unknown, keys)).rejects.toMatchObject(refused);
  await requireKeys(rows, events, unknown, [now, before]);
  await requireKeys(rows, events, () => true, []);
});

test('an address that looks like a hash, and items that are not read, refuse nothing', async () => {
  const hostile = keysInRows('hashed:0123456789abcdef0123456789abcdef@example.com', [])[0] ?? '';
  await requireKeys(serverWith(rowOf(hostile)), [eventOf('a', hostile)], unknown, []);
  const other = { ...rowOf(storedAs('ann@example.com', before)), item_index: 7 };
  await requireKeys(serverWith(other), [eventOf('a', 'ann@example.com')], unknown, []);
});

test('of an event that is another type today, the row’s id and the one in Kafka are told apart', async () => {
  const hiding = new Hiding(now, new Set());
  const event = eventOf('today', 'ann@example.com', { known_as: ['former'] });
  const row = { event_id: hiding.id('former'), type: 'other', request_id: 'r1', item_index: 0, at: '5' };
  const { ids, retyped } = await knownEvents(serverWith(row), [event], { compare: false, hidings: [hiding] });
  expect([...ids]).toEqual(['today']);
  expect(retyped.get('today')).toEqual({ cameOutAs: hiding.id('former'), name: 'former', type: 'other' });
});
