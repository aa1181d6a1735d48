import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { connected } from '../testing/connected.ts';
import { stateOf } from '../testing/values.ts';
import { overLimit, type PlayedHubspot, play, READ_ONLY, TYPES } from './hubspot.harness.ts';
import { hubspot } from './hubspot.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';
const [NEWS = 0, SHOP = 0] = TYPES;
const streams = { newsletter: NEWS, 'account:shop': SHOP };

async function open(
  played: PlayedHubspot = play(),
  other: { secrets?: string[]; options?: object; now?: () => number } = {},
) {
  const world = await connected(hubspot, played, other);
  onTestFinished(() => world.close());
  return { played, ...world };
}

const left = (...scopes: readonly string[]) =>
  stateOf({ suppressed: false, reasons: scopes.map((scope) => ({ scope }) as SuppressionReason) });

test('who left streams is unsubscribed from their types, and from nothing else', async () => {
  const { played, adapter } = await open(play(), { options: { streams } });
  expect(await adapter.put(left('newsletter', 'account:blog'), signal)).toBe('written');
  expect(played.off(ADA)).toEqual([`type:${NEWS}`]);
  expect(await adapter.put(left('newsletter', 'account:shop'), signal)).toBe('written');
  expect(played.off(ADA)).toEqual([`type:${NEWS}`, `type:${SHOP}`]);
  expect(await adapter.put(left('newsletter', 'account:shop'), signal)).toBe('unchanged');
  // Who comes back does so at HubSpot.
  expect(await adapter.put(left(), signal)).toBe('unchanged');
  expect(played.off(ADA)).toEqual([`type:${NEWS}`, `type:${SHOP}`]);
});

test('brands are unsubscribed from one by one; the status of the account counts for all', async () => {
  const played = play({ brands: true });
  const { adapter } = await open(played, { options: { businessUnits: [3, 4] } });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.off(ADA)).toEqual(['brand:3', 'brand:4']);
  const account = await open(play(), { options: { businessUnits: [3] } });
  const whole = await connected(hubspot, account.played);
  onTestFinished(() => whole.close());
  await whole.adapter.put(stateOf(), signal);
  expect(await account.adapter.put(stateOf(), signal)).toBe('unchanged');
});

test('an account with brands is unsubscribed from as its brand 0', async () => {
  const { played, adapter } = await open(play({ brands: true }));
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  expect(played.off(ADA)).toEqual(['brand:0']);
});

test('a limit is waited for by its name', async () => {
  const { server, adapter } = await open(play({ most: 2 }));
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({
    failure: 'throttled',
    afterMs: 10_000,
  });
  for (const [policy, afterMs] of [
    ['SECONDLY', 1_000],
    ['DAILY', 600_000],
    ['of next year', 10_000],
  ] as const) {
    server.fault = overLimit(policy);
    await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ afterMs });
  }
  server.fault = { ...overLimit('DAILY'), headers: { 'retry-after': '3' } };
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ afterMs: 3_000 });
});

test('a token that may not write is told from one that is wrong', async () => {
  const { adapter } = await open(play(), { secrets: [READ_ONLY] });
  await adapter.check(signal);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({
    code: 'SINK_CRM_UNAUTHORIZED',
    message: expect.stringContaining('communication_preferences.read_write'),
  });
});

test('a check finds a subscription type that the account does not have', async () => {
  const { adapter } = await open(play(), { options: { streams: { newsletter: 99 } } });
  await expect(adapter.check(signal)).rejects.toMatchObject({
    code: 'SINK_CRM_MISCONFIGURED',
    message: 'options.streams: the account has no subscription type 99',
  });
});
