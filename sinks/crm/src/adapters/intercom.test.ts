import { expect, onTestFinished, test } from 'vitest';
import { connected, listedBy, stateOf } from '../testing/index.ts';
import { type IntercomWorld, playIntercom } from './intercom.harness.ts';
import { intercom } from './intercom.ts';

// What is peculiar to this adapter; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';

async function open(world: IntercomWorld = {}, now = Date.now) {
  const played = playIntercom(world);
  const crm = await connected(intercom, played, { now });
  onTestFinished(() => crm.close());
  return { played, ...crm };
}

test('a user and leads with one address are all unsubscribed', async () => {
  const { adapter, played } = await open();
  const all = [played.add(ADA), played.add(ADA, 'lead'), played.add(ADA, 'lead')];
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(all.map(({ unsubscribed }) => unsubscribed)).toEqual([true, true, true]);
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
});

test('leads with one address are unsubscribed however many pages they fill, and nobody else whom the search finds', async () => {
  const { adapter, played } = await open();
  const all = Array.from({ length: 35 }, () => played.add(ADA, 'lead'));
  const other = played.add('bob@example.com');
  const { answer } = played;
  played.answer = (call) => {
    const said = answer(call);
    if (call.url.pathname !== '/contacts/search') return said;
    const found = JSON.parse(said.body ?? '');
    const data = [...found.data, { id: other.id, email: other.email, unsubscribed_from_emails: false }];
    return { ...said, body: JSON.stringify({ ...found, data }) };
  };
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(all.every(({ unsubscribed }) => unsubscribed)).toBe(true);
  expect(other.unsubscribed).toBe(false);
});

test('contacts with one address are erased however many pages they fill, though the search goes on to find who is gone', async () => {
  const { adapter, played, server } = await open();
  const all = Array.from({ length: 35 }, () => played.add(ADA, 'lead'));
  const { answer } = played;
  // As of the beginning.
  const pages = new Map<string, ReturnType<typeof answer>>();
  played.answer = (call) => {
    if (call.url.pathname !== '/contacts/search') return answer(call);
    const said = pages.get(call.body ?? '') ?? answer(call);
    pages.set(call.body ?? '', said);
    return said;
  };
  for (let n = 0; n < 4; n++) await adapter.erase?.(ADA, signal);
  const gone = server.calls.filter(({ method }) => method === 'DELETE').map(({ url }) => url.pathname);
  expect(new Set(gone).size).toBe(all.length);
});

test('a search without an end is given up', async () => {
  const { adapter, server } = await open();
  const page = { data: [], pages: { next: { starting_after: 'again' } } };
  server.fault = { status: 200, body: JSON.stringify(page) };
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'unverified' });
  expect(server.calls).toHaveLength(50);
});

test('an unknown address becomes a contact who never was subscribed', async () => {
  const { adapter, played, server } = await open();
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.held(ADA)).toEqual({ suppressed: true });
  const writes = server.calls.filter(({ url }) => url.pathname !== '/contacts/search');
  expect(writes.map(({ body }) => JSON.parse(body))).toEqual([
    { role: 'user', email: ADA, unsubscribed_from_emails: true },
  ]);
});

test('a contact that the search finds only later is made once, however often it is asked for', async () => {
  const { adapter, played, server } = await open({ lag: 1_000 });
  for (let n = 0; n < 3; n++) expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.recipients()).toEqual([ADA]);
  expect(played.held(ADA)).toEqual({ suppressed: true });
  expect(server.calls.filter(({ method }) => method === 'PUT')).toHaveLength(2);
});

test('one that is there and cannot be found, nor is named, is no dead letter', async () => {
  const { adapter, played } = await open({ tellsId: false });
  played.add(ADA).hidden = 1;
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'unverified' });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
});

test('a change that is answered but not made is not done', async () => {
  const { adapter, played } = await open({ ignores: true });
  played.add(ADA);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNVERIFIED' });
});

test.each([
  ['1764504007', 7_000],
  ['1764503990', undefined],
  ['soon', undefined],
])('a limit is over at the reset, %s', async (reset, afterMs) => {
  const { adapter, server } = await open({}, () => 1_764_504_000_000);
  server.fault = { status: 429, headers: { 'x-ratelimit-reset': reset } };
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'throttled', afterMs });
});

test('lists everybody who gets no mail, whichever flag says so, page by page', async () => {
  const { adapter, played } = await open();
  for (let n = 0; n < 25; n++) {
    const contact = played.add(`${n}@example.com`);
    contact.unsubscribed = n !== 7 && n !== 8;
    contact.bounced = n === 8 || n === 9;
  }
  const listed = await listedBy(adapter);
  expect(listed).toHaveLength(24);
  expect(listed[7]).toEqual({
    recipient: '8@example.com',
    reason: 'has_hard_bounced',
    because: 'hard_bounce',
  });
  expect(listed[8]?.reason).toBe('unsubscribed_from_emails,has_hard_bounced');
});
