import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { connected } from '../testing/connected.ts';
import { listedBy, stateOf } from '../testing/values.ts';
import { LISTS, NO_QUERIES, play } from './listmonk.harness.ts';
import { listmonk } from './listmonk.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';
const [NEWS = 0, SHOP = 0] = LISTS;

async function open(other: { secrets?: string[]; options?: object } = {}) {
  const played = play();
  const world = await connected(listmonk, played, other);
  onTestFinished(() => world.close());
  return { played, ...world };
}

const left = (...scopes: readonly string[]) =>
  stateOf({ suppressed: false, reasons: scopes.map((scope) => ({ scope }) as SuppressionReason) });

test('a subscriber is blocklisted, keeps its lists, and is subscribed to none of them', async () => {
  const { played, adapter } = await open();
  played.add(ADA, { subscriptions: { [NEWS]: 'confirmed', [SHOP]: 'unconfirmed' } });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  const blocklisted = {
    status: 'blocklisted',
    subscriptions: { [NEWS]: 'unsubscribed', [SHOP]: 'unsubscribed' },
  };
  expect(played.subscriber(ADA)).toEqual(blocklisted);
  expect(await adapter.put(left(), signal)).toBe('unchanged');
  expect(played.subscriber(ADA)).toEqual(blocklisted);
});

test('a subscriber that another makes meanwhile is blocklisted', async () => {
  const { played, adapter } = await open();
  const answer = played.answer;
  played.answer = (call) => {
    if (call.method === 'POST') played.add(ADA, { subscriptions: { [NEWS]: 'confirmed' } });
    return answer(call);
  };
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.subscriber(ADA)?.status).toBe('blocklisted');
  expect(played.recipients()).toEqual([ADA]);
});

test('who left streams is unsubscribed from their lists; a subscriber is not made for it', async () => {
  const { played, adapter } = await open({
    options: { streams: { newsletter: NEWS, 'account:shop': SHOP } },
  });
  expect(await adapter.put(left('newsletter'), signal)).toBe('unchanged');
  expect(played.recipients()).toEqual([]);
  played.add(ADA, { subscriptions: { [NEWS]: 'confirmed', [SHOP]: 'confirmed' } });
  expect(await adapter.put(left('newsletter', 'other'), signal)).toBe('written');
  const news = { status: 'enabled', subscriptions: { [NEWS]: 'unsubscribed', [SHOP]: 'confirmed' } };
  expect(played.subscriber(ADA)).toEqual(news);
  expect(await adapter.put(left('newsletter'), signal)).toBe('unchanged');
});

test('no part of an address is read as SQL', async () => {
  const { server, adapter } = await open();
  const recipient = `x' OR TRUE --%order%@example.com`;
  await adapter.put(stateOf({ recipient }), signal);
  const [query = ''] = server.calls.map(({ url }) => url.searchParams.get('query') ?? '');
  expect(query).toMatch(
    /^LOWER\(subscribers\.email\) = convert_from\(decode\('[0-9a-f]+', 'hex'\), 'UTF8'\)$/,
  );
});

test('a check finds a user that may not look up, and a list that does not exist', async () => {
  const { adapter } = await open({ secrets: [NO_QUERIES] });
  await expect(adapter.check(signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNAUTHORIZED' });
  const other = await open({ options: { streams: { newsletter: NEWS, offers: 99 } } });
  await expect(other.adapter.check(signal)).rejects.toMatchObject({
    code: 'SINK_CRM_MISCONFIGURED',
    message: 'options.streams: there is no list 99',
  });
});

test('all who are not mailed are listed, page by page', async () => {
  const { played, server, adapter } = await open();
  const off = Array.from({ length: 401 }, (_, n) => `person-${n}@example.com`);
  for (const email of off) played.optOut?.(email);
  played.add(ADA);
  const listed = (await listedBy(adapter)).map(({ recipient }) => recipient);
  expect(listed.sort()).toEqual(off.sort());
  expect(server.calls).toHaveLength(3);
});
