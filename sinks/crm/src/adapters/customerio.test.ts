import { Secret } from '@email-events/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connected, listedBy, stateOf } from '../testing/index.ts';
import { type CustomerioWorld, playCustomerio } from './customerio.harness.ts';
import { customerio } from './customerio.ts';

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

async function open(world: CustomerioWorld = {}, other: { secrets?: string[]; topic?: number } = {}) {
  const played = playCustomerio(world);
  const { secrets, topic = 2 } = other;
  const options = (base: string) => ({ appUrl: base, streams: { digest: topic } });
  const settings = (base: string) => ({
    ...played.settings(base),
    options: options(base),
    ...(secrets && { secrets }),
  });
  const crm = await connected(customerio, { ...played, settings });
  onTestFinished(() => crm.close());
  return { played, ...crm };
}

test('whoever is found with another address is left alone', async () => {
  const { adapter, played, server } = await open();
  const { cio_id, email, attributes } = played.add('bob@example.com');
  const others = { results: [{ cio_id, email }] };
  server.faultsOf.set(ADA, { status: 200, body: JSON.stringify(others) });
  const giveUp = new AbortController();
  const put = adapter.put(stateOf(), giveUp.signal);
  await vi.waitFor(() => expect(server.calls.some(({ method }) => method === 'POST')).toBe(true), 10_000);
  giveUp.abort();
  await expect(put).rejects.toThrow();
  expect(attributes.unsubscribed).toBeUndefined();
  const writes = server.calls.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body));
  expect(writes).toEqual([expect.objectContaining({ identifiers: { email: ADA } })]);
});

test('a person is never deleted, which is what Customer.io calls to suppress', async () => {
  const { adapter, played, server } = await open();
  played.add(ADA);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  const writes = server.calls.filter(({ method }) => method !== 'GET');
  expect(writes.map(({ url, body }) => [url.pathname, JSON.parse(body)])).toEqual([
    [
      '/api/v2/entity',
      {
        type: 'person',
        action: 'identify',
        identifiers: { cio_id: '0a00' },
        attributes: { unsubscribed: true },
      },
    ],
  ]);
});

test('everybody with the address is unsubscribed, and only who is not yet', async () => {
  const { adapter, played, server } = await open();
  const people = [played.add(ADA), played.add(ADA, { unsubscribed: true }), played.add('Ada@Example.com')];
  const other = played.add('bob@example.com');
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(people.map(({ attributes }) => attributes.unsubscribed)).toEqual([true, true, true]);
  expect(other.attributes).toEqual({});
  expect(server.calls.filter(({ method }) => method === 'POST')).toHaveLength(2);
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
});

test('a write that shows later is waited for, and made once', async () => {
  const { adapter, played, server } = await open({ lag: 3 });
  played.add(ADA);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(server.calls.filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test.each([true, false])(
  'who left a stream is off its topic, as before about others (as text: %s)',
  async (asText) => {
    const { adapter, played } = await open({ asText });
    const topics = { topic_1: true, topic_2: true };
    const ada = played.add(ADA, { cio_subscription_preferences: { topics } });
    expect(await adapter.put(left('digest'), signal)).toBe('written');
    expect(ada.attributes).toEqual({
      cio_subscription_preferences: { topics: { topic_1: true, topic_2: false } },
    });
    expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
    expect(played.held(ADA)).toEqual({ suppressed: false });
  },
);

test('who is unknown and left a stream does not become a person who is mailed about the others', async () => {
  const { adapter, played } = await open();
  expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
  expect(played.recipients()).toEqual([]);
});

test('a limit that is reached is of a second', async () => {
  const { adapter } = await open({ appCalls: 1 });
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({
    failure: 'throttled',
    afterMs: 1_000,
  });
});

test('check: a topic that does not exist is named', async () => {
  const { adapter } = await open({}, { topic: 9 });
  await expect(adapter.check(signal)).rejects.toThrow('options.streams: the workspace has no topic 9');
});

test.each([
  ['site0123456789:track-key-of-another', 'app-key-of-the-tests'],
  ['site0123456789:track-key-of-the-tests', 'app-key-of-another'],
])('check: both keys are proven', async (...secrets) => {
  const { adapter } = await open({}, { secrets });
  await expect(adapter.check(signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNAUTHORIZED' });
});

test.each([[['site:key']], [['app']], [['site:key', 'other:key']], [['app', 'app2']]])(
  '%j are not both secrets that it needs',
  (secrets) => {
    const { secrets: schema } = customerio.settings.shape;
    const { error } = schema.safeParse(secrets.map((secret) => new Secret(secret)));
    expect(error?.issues.map(({ message }) => message)).toEqual([expect.stringContaining('two are needed')]);
  },
);

test('lists everybody who is unsubscribed, page by page', async () => {
  const { adapter, played } = await open();
  for (let n = 0; n < 25; n++) played.add(`${n}@example.com`, { unsubscribed: n !== 7 });
  const listed = await listedBy(adapter);
  expect(listed).toHaveLength(24);
  expect(listed).not.toContainEqual({ recipient: '7@example.com' });
});
