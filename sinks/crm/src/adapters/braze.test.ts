import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { connected, stateOf } from '../testing/index.ts';
import { type BrazeWorld, GROUP, OTHER_GROUP, playBraze } from './braze.harness.ts';
import { braze } from './braze.ts';

// What is peculiar to this adapter; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';

const reasonOf = (reason: string, scope: string) =>
  ({
    ...{ reason, scope, since: 1, esp: 'postmark', source: 'postmark' },
    ...{ event_id: 'e', detail: null, account: null },
  }) as SuppressionReason;
const suppressedFor = (...reasons: string[]) =>
  stateOf({ suppressed: true, reasons: reasons.map((reason) => reasonOf(reason, 'all')) });
const left = (scope: string) => stateOf({ suppressed: false, reasons: [reasonOf('unsubscribe', scope)] });

async function open(world: BrazeWorld = {}, other: { options?: object; now?: () => number } = {}) {
  const played = playBraze(world);
  const crm = await connected(braze, played, other);
  onTestFinished(() => crm.close());
  return { played, ...crm };
}

test.each([
  [['hard_bounce'], true],
  [['complaint'], true],
  [['unsubscribe', 'complaint'], true],
  [['unsubscribe'], false],
  [['soft_bounces'], false],
  [['manual'], false],
])('%j: blocked, so that transactional mail stops too: %s', async (reasons, bounced) => {
  const { adapter, played } = await open();
  expect(await adapter.put(suppressedFor(...reasons), signal)).toBe('written');
  expect(played.of(ADA)).toMatchObject({ state: 'unsubscribed', bounced, user: false });
});

test('a complaint about a stream blocks no address', async () => {
  const { adapter, played } = await open();
  const reasons = [reasonOf('complaint', 'offers'), reasonOf('unsubscribe', 'all')];
  await adapter.put(stateOf({ suppressed: true, reasons }), signal);
  expect(played.of(ADA)).toMatchObject({ state: 'unsubscribed', bounced: false });
});

test('an error inside an answer of success is one', async () => {
  const { adapter } = await open({ fails: true });
  await expect(adapter.put(suppressedFor('manual'), signal)).rejects.toMatchObject({ failure: 'rejected' });
});

test('who left a stream is off its group, and off no other', async () => {
  const { adapter, played } = await open();
  const ada = played.addUser(ADA, GROUP, OTHER_GROUP);
  expect(await adapter.put(left('digest'), signal)).toBe('written');
  expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
  expect([...ada.groups]).toEqual([
    [GROUP, 'Unsubscribed'],
    [OTHER_GROUP, 'Subscribed'],
  ]);
  expect(ada.state).toBe('subscribed');
});

test('a user whose choice is unknown is off the group', async () => {
  const { adapter, played } = await open();
  const ada = played.addUser(ADA);
  expect(await adapter.put(left('digest'), signal)).toBe('written');
  expect(ada.groups.get(GROUP)).toBe('Unsubscribed');
});

test.each([200, 400, 404])(
  'no user is made of an address that left a stream (told by %d)',
  async (status) => {
    const { adapter, played } = await open({ unknownStatus: status });
    expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
    expect(played.recipients()).toEqual([]);
  },
);

test.each<[Record<string, string>, number | undefined]>([
  [{ 'x-ratelimit-retry-after': '3', 'x-ratelimit-reset': '1764504060' }, 3_000],
  [{ 'x-ratelimit-reset': '1764504060' }, 60_000],
  [{}, undefined],
])('too many calls: %j', async (headers, afterMs) => {
  const { adapter, server } = await open({}, { now: () => 1_764_504_000_000 });
  server.fault = { status: 429, headers };
  await expect(adapter.put(suppressedFor('manual'), signal)).rejects.toMatchObject({
    failure: 'throttled',
    afterMs,
  });
});

test.each(['email.status', 'email.blacklist', 'subscription.status.get'])(
  'check: a key without %s',
  async (lacking) => {
    const permissions = ['email.status', 'email.blacklist', 'subscription.status.get'];
    const { adapter } = await open({ permissions: permissions.filter((one) => one !== lacking) });
    await expect(adapter.check(signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNAUTHORIZED' });
  },
);

test('check: writes with no address in them, and a group that does not exist is named', async () => {
  const group = '3f2504e0-4f89-41d3-9a0c-0305e82c3309';
  const { adapter, played, server } = await open({}, { options: { streams: { digest: group } } });
  await expect(adapter.check(signal)).rejects.toThrow(`the workspace has no subscription group ${group}`);
  expect(played.recipients()).toEqual([]);
  const writes = server.calls.filter(({ method }) => method === 'POST');
  expect(writes.map(({ body }) => JSON.parse(body).email)).toEqual([[], []]);
});
