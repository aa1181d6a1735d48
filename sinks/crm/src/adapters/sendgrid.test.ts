import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { type Connected, connected } from '../testing/connected.ts';
import { listedBy, stateOf } from '../testing/values.ts';
import { GROUPS, MAIL_ONLY, play } from './sendgrid.harness.ts';
import { sendgrid } from './sendgrid.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';
const [NEWS = 0, SHOP = 0] = GROUPS;

async function open(played = play(), other: Parameters<typeof connected>[2] = {}) {
  const world: Connected = await connected(sendgrid, played, other);
  onTestFinished(() => world.close());
  return { played, ...world };
}

const left = (...scopes: readonly string[]) =>
  stateOf({ suppressed: false, reasons: scopes.map((scope) => ({ scope }) as SuppressionReason) });

test('who left streams is suppressed in their groups, and not globally', async () => {
  const streams = { newsletter: NEWS, 'account:shop': SHOP };
  const { played, adapter } = await open(play(), { options: { streams } });
  expect(await adapter.put(left('newsletter', 'other'), signal)).toBe('written');
  expect(played.lists(ADA)).toEqual([NEWS]);
  expect(await adapter.put(left('newsletter', 'account:shop'), signal)).toBe('written');
  expect(played.lists(ADA)).toEqual([NEWS, SHOP]);
  expect(await adapter.put(left(), signal)).toBe('unchanged');
  expect(played.lists(ADA)).toEqual([NEWS, SHOP]);
});

test('a limit ends when its header says', async () => {
  const now = 1_900_000_000_500;
  const { server, adapter } = await open(play({ most: 1 }), { now: () => now });
  for (const [reset, afterMs] of [
    ['1900000003', 2_500],
    ['1899999999', 0],
    ['1999999999', 3_600_000],
    ['soon', undefined],
  ] as const) {
    server.fault = { status: 429, headers: { 'x-ratelimit-reset': reset } };
    await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'throttled', afterMs });
  }
  server.fault = undefined;
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'throttled' });
});

test('calls can be made on behalf of a subuser', async () => {
  const { server, adapter } = await open(play(), { options: { onBehalfOf: 'account-id 7' } });
  await adapter.put(stateOf(), signal);
  expect(server.calls.map(({ headers }) => headers['on-behalf-of'])).toEqual(Array(3).fill('account-id 7'));
});

test('a check finds a key that may not suppress, and a group that the account does not have', async () => {
  const mail = await open(play(), { secrets: [MAIL_ONLY] });
  await expect(mail.adapter.check(signal)).rejects.toMatchObject({
    code: 'SINK_CRM_UNAUTHORIZED',
    message: 'the key lacks asm.suppressions.global.create',
  });
  const other = await open(play(), { options: { streams: { newsletter: NEWS, offers: 9 } } });
  await expect(other.adapter.check(signal)).rejects.toMatchObject({
    code: 'SINK_CRM_MISCONFIGURED',
    message: 'options.streams: the account has no unsubscribe group 9',
  });
});

test('all who are not mailed are listed, page by page', async () => {
  const { played, server, adapter } = await open();
  const off = Array.from({ length: 1001 }, (_, n) => `person-${n}@example.com`);
  for (const email of off) played.optOut?.(email);
  await adapter.put(left(), signal);
  const listed = (await listedBy(adapter)).map(({ recipient }) => recipient);
  expect(listed.sort()).toEqual(off.sort());
  expect(server.calls).toHaveLength(3);
});
