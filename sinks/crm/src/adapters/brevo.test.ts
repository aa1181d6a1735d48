import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { connected } from '../testing/connected.ts';
import { listedBy, stateOf } from '../testing/values.ts';
import { LISTS, overLimit, play } from './brevo.harness.ts';
import { brevo } from './brevo.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';
const [NEWS = 0, SHOP = 0] = LISTS;

async function open(played = play(), options: object = {}) {
  const world = await connected(brevo, played, { options });
  onTestFinished(() => world.close());
  return { played, ...world };
}

const left = (...scopes: readonly string[]) =>
  stateOf({ suppressed: false, reasons: scopes.map((scope) => ({ scope }) as SuppressionReason) });

test('a contact is opted out and nothing else about it changes', async () => {
  const { played, server, adapter } = await open();
  played.add(ADA, { listIds: [NEWS] });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.contact(ADA)).toEqual({ emailBlacklisted: true, listIds: [NEWS] });
  const [write] = server.calls.filter(({ method }) => method === 'PUT');
  expect(JSON.parse(write?.body ?? '')).toEqual({ emailBlacklisted: true });
});

test('a contact that another makes meanwhile is opted out', async () => {
  const { played, adapter } = await open();
  const answer = played.answer;
  played.answer = (call) => {
    if (call.method === 'POST') played.add(ADA, { listIds: [NEWS] });
    return answer(call);
  };
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.contact(ADA)).toEqual({ emailBlacklisted: true, listIds: [NEWS] });
});

test('who left streams leaves their lists; a contact is not made for it', async () => {
  const { played, adapter } = await open(play(), { streams: { newsletter: NEWS, 'account:shop': SHOP } });
  expect(await adapter.put(left('newsletter'), signal)).toBe('unchanged');
  expect(played.contact(ADA)).toBeUndefined();
  played.add(ADA, { listIds: [NEWS, SHOP] });
  expect(await adapter.put(left('newsletter', 'other'), signal)).toBe('written');
  expect(played.contact(ADA)).toEqual({ emailBlacklisted: false, listIds: [SHOP] });
  expect(await adapter.put(left(), signal)).toBe('unchanged');
  expect(played.contact(ADA)?.listIds).toEqual([SHOP]);
});

test('the wait of a limit is in its own header', async () => {
  const { server, adapter } = await open(play({ most: 1 }));
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({
    failure: 'throttled',
    afterMs: 1_000,
  });
  for (const [headers, afterMs] of [
    [overLimit(90_000).headers, 3_600_000],
    [{ 'retry-after': '3' }, 3_000],
    [{ 'x-sib-ratelimit-reset': 'soon' }, undefined],
    [{}, undefined],
  ] as const) {
    server.fault = { status: 429, ...(headers && { headers }) };
    await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'throttled', afterMs });
  }
});

test('a check finds a list that the account does not have', async () => {
  const { adapter } = await open(play(), { streams: { newsletter: NEWS, offers: 99 } });
  await expect(adapter.check(signal)).rejects.toMatchObject({
    code: 'SINK_CRM_MISCONFIGURED',
    message: 'options.streams: the account has no list 99',
  });
});

test('all who are not mailed are listed, page by page', async () => {
  const { played, server, adapter } = await open();
  const off = Array.from({ length: 450 }, (_, n) => `person-${n}@example.com`);
  for (const email of off) played.optOut?.(email);
  played.add(ADA);
  const listed = (await listedBy(adapter)).map(({ recipient }) => recipient);
  expect(listed.sort()).toEqual(off.sort());
  expect(server.calls).toHaveLength(3);
});
