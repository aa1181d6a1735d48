import { expect, onTestFinished, test } from 'vitest';
import { connected, stateOf } from '../testing/index.ts';
import { type ActiveCampaignWorld, playActiveCampaign } from './activecampaign.harness.ts';
import { activecampaign } from './activecampaign.ts';

// What is peculiar to this adapter; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';
const reason = {
  reason: 'unsubscribe' as const,
  since: 1,
  esp: 'postmark',
  source: 'postmark',
  event_id: 'e',
};
const left = (scope: string) =>
  stateOf({ suppressed: false, reasons: [{ ...reason, scope, detail: null, account: null }] });

async function open(world: ActiveCampaignWorld = {}, options?: object) {
  const played = playActiveCampaign(world);
  const crm = await connected(activecampaign, played, options ? { options } : {});
  onTestFinished(() => crm.close());
  return { played, ...crm };
}

test('off every list that sends mail; who left or bounced there is left alone', async () => {
  const { adapter, played, server } = await open();
  const ada = played.add(ADA, { 1: 1, 2: 0, 3: 2, 4: 3 });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect([...ada.lists.values()]).toEqual([2, 2, 2, 3]);
  const writes = server.calls.filter(({ method }) => method === 'POST');
  expect(writes.map(({ body }) => JSON.parse(body))).toEqual([
    { contactList: { list: 1, contact: 900, status: 2 } },
    { contactList: { list: 2, contact: 900, status: 2 } },
  ]);
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
});

test('no state sends status 1, which would subscribe who left', async () => {
  const { adapter, played, server } = await open();
  const ada = played.add(ADA, { 1: 2, 2: 2 });
  for (const state of [stateOf({ suppressed: false }), left('digest'), left('offers'), stateOf()])
    expect(await adapter.put(state, signal)).toBe('unchanged');
  expect(server.calls.some(({ method }) => method === 'POST')).toBe(false);
  expect([...ada.lists.values()]).toEqual([2, 2]);
});

test('who left a stream is off its list, and off no other', async () => {
  const { adapter, played } = await open();
  const ada = played.add(ADA, { 1: 1, 2: 1 });
  expect(await adapter.put(left('digest'), signal)).toBe('written');
  expect([...ada.lists]).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

test('an unknown address is done with, and so is one that is a part of another', async () => {
  const { adapter, played } = await open();
  const other = played.add(`x${ADA}`, { 1: 1 });
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  expect([...other.lists.values()]).toEqual([1]);
});

test('an address is found behind hundreds of which it is a part', async () => {
  const { adapter, played } = await open();
  for (let n = 0; n < 250; n++) played.add(`${n}${ADA}`, { 1: 1 });
  const ada = played.add(ADA, { 1: 1 });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(ada.lists.get(1)).toBe(2);
});

test('one that gives the same page again, whatever is asked for, is not written to without end', async () => {
  const { adapter, played, server } = await open();
  played.add(ADA, Object.fromEntries(Array.from({ length: 120 }, (_, at) => [at + 1, 1])));
  const { answer } = played;
  played.answer = (call) => {
    const url = new URL(call.url);
    url.searchParams.delete('offset');
    return answer({ ...call, url });
  };
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'unverified' });
  expect(server.calls.length).toBeLessThan(10);
});

test('every page of lists is read', async () => {
  const { adapter, played } = await open();
  const lists = Object.fromEntries(Array.from({ length: 230 }, (_, at) => [at + 1, at < 220 ? 2 : 1]));
  const ada = played.add(ADA, lists);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect([...ada.lists.values()].every((status) => status === 2)).toBe(true);
});

test('the limit is of the account, and it says how long to wait', async () => {
  const { adapter, played } = await open({ calls: 2 });
  played.add(ADA, { 1: 1 });
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({
    failure: 'throttled',
    afterMs: 1_000,
  });
});

test('check: a list that does not exist is named', async () => {
  const { adapter } = await open({}, { streams: { digest: 999 } });
  await expect(adapter.check(signal)).rejects.toThrow('options.streams: the account has no list 999');
});
