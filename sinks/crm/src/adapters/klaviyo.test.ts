import { afterEach, expect, test } from 'vitest';
import { JsonApi } from '../json-api.ts';
import { type Connected, connected, listedBy, PlayedServer, stateOf } from '../testing/index.ts';
import { type KlaviyoWorld, playKlaviyo } from './klaviyo.harness.ts';
import { createKlaviyo, klaviyo } from './klaviyo.ts';

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

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function open(world: KlaviyoWorld = {}, options?: object) {
  const played = playKlaviyo(world);
  const crm: Connected = await connected(klaviyo, played, options ? { options } : {});
  cleanups.push(() => crm.close());
  return { played, ...crm };
}

/** Waits milliseconds where the adapter waits minutes. */
async function openImpatient(world: KlaviyoWorld) {
  const played = playKlaviyo(world);
  const server = await PlayedServer.start(played);
  const { url: base, secrets } = played.settings(server.base);
  const media = 'application/vnd.api+json';
  const headers = {
    authorization: `Klaviyo-API-Key ${secrets[0]}`,
    ...{ revision: '2026-04-15', 'content-type': media },
  };
  const api = new JsonApi({ base, headers, limits: { timeoutMs: 5_000, concurrency: 1, now: Date.now } });
  const adapter = createKlaviyo(api, {}, { firstMs: 1, mostMs: 2, patienceMs: 5 });
  cleanups.push(async () => {
    await adapter.close();
    await server.close();
  });
  return { played, adapter };
}

test('a suppression is written when its job has ended, not when it was taken', async () => {
  const { adapter, server } = await open({ looks: 3 });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(server.calls.map(({ method, url }) => `${method} ${url.pathname.split('/')[2]}`)).toEqual([
    'GET profiles',
    'POST profile-suppression-bulk-create-jobs',
    ...Array(3).fill('GET profile-suppression-bulk-create-jobs'),
    'GET profiles',
  ]);
});

test.each(['HARD_BOUNCE', 'SPAM_COMPLAINT', 'UNSUBSCRIBE', 'INVALID_EMAIL', 'USER_SUPPRESSED'])(
  'suppressed as %s is suppressed: no job',
  async (why) => {
    const { adapter, played, server } = await open();
    played.suppress(ADA, why);
    expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
    expect(server.calls.map(({ method }) => method)).toEqual(['GET']);
  },
);

test('a job that is cancelled is not taken for done', async () => {
  const { adapter } = await open({ ends: 'cancelled' });
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNVERIFIED' });
});

test('a job that skips an address it has no profile for is done: there is nobody to mail', async () => {
  const { adapter, played } = await openImpatient({ skips: () => true });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.recipients()).toEqual([]);
  played.join(ADA, 'Y6nRLr');
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNVERIFIED' });
});

test('a job that does not end is tried again, and opens no breaker', async () => {
  const { adapter } = await openImpatient({ looks: 1_000 });
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'unverified' });
});

test('a caller that gives up while a job is followed gets its own reason', async () => {
  const { adapter, server } = await open({ looks: 1_000_000 });
  const giveUp = new AbortController();
  const put = adapter.put(stateOf(), giveUp.signal);
  const stopping = expect(put).rejects.toThrow('stopping');
  await expect.poll(() => server.calls.length).toBeGreaterThan(3);
  giveUp.abort(new Error('stopping'));
  await stopping;
});

test('who left a stream is taken off its list, and off no other; consent stays', async () => {
  const { adapter, played, server } = await open();
  played.join(ADA, 'Y6nRLr', 'X9zzzz');
  expect(await adapter.put(left('digest'), signal)).toBe('written');
  expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
  expect(played.listsOf(ADA)).toEqual(['X9zzzz']);
  expect(played.held(ADA)).toEqual({ suppressed: false });
  expect(server.calls.some(({ url }) => url.pathname.includes('subscription-bulk'))).toBe(false);
});

test('who is on no list, or unknown, and left a stream is left alone', async () => {
  const { adapter, played, server } = await open();
  expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
  played.join(ADA, 'X9zzzz');
  expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
  expect(await adapter.put(left('offers'), signal)).toBe('unchanged');
  expect(played.listsOf(ADA)).toEqual(['X9zzzz']);
  expect(server.calls.every(({ method }) => method === 'GET')).toBe(true);
});

test('an address cannot become another filter', async () => {
  const { adapter, played } = await open();
  played.suppress(ADA, 'UNSUBSCRIBE');
  const recipient = `x"),any(email,["${ADA}"])@example.com`;
  expect(await adapter.put(stateOf({ recipient }), signal)).toBe('written');
  expect(played.held(recipient)).toEqual({ suppressed: true });
});

test.each(['profiles:read', 'subscriptions:read', 'lists:read'])(
  'check: a key without %s',
  async (lacking) => {
    const scopes = ['profiles:read', 'subscriptions:read', 'lists:read'].filter((scope) => scope !== lacking);
    const { adapter } = await open({ scopes });
    await expect(adapter.check(signal)).rejects.toMatchObject({
      code: 'SINK_CRM_UNAUTHORIZED',
      message: expect.stringContaining(lacking),
    });
  },
);

test('check: a list that does not exist is named', async () => {
  const { adapter } = await open({}, { streams: { digest: 'Y6nRLr', offers: 'NoList' } });
  await expect(adapter.check(signal)).rejects.toThrow('options.streams: the account has no list NoList');
});

test('lists everybody who is suppressed, page by page, with reason and time, and asks no other host', async () => {
  const { adapter, played, server } = await open();
  for (let n = 0; n < 205; n++)
    played.suppress(`${n}@example.com`, n === 0 ? 'SPAM_COMPLAINT' : 'UNSUBSCRIBE');
  played.join(ADA, 'Y6nRLr');
  const listed = await listedBy(adapter);
  expect(listed.map(({ recipient }) => recipient)).toEqual(
    Array.from({ length: 205 }, (_, n) => `${n}@example.com`),
  );
  const since = Date.UTC(2026, 10, 30, 12);
  expect(listed[0]).toEqual({
    recipient: '0@example.com',
    reason: 'SPAM_COMPLAINT',
    since,
    because: 'complaint',
  });
  expect(server.calls).toHaveLength(3);
});
