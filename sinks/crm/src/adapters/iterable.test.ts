import { expect, onTestFinished, test } from 'vitest';
import { SharedPace } from '../pace.ts';
import { connected, stateOf } from '../testing/index.ts';
import { CHANNELS, type IterableWorld, playIterable } from './iterable.harness.ts';
import { iterable } from './iterable.ts';

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

async function open(
  world: IterableWorld = {},
  other: { options?: object; now?: () => number; pace?: SharedPace } = {},
) {
  const played = playIterable(world);
  const crm = await connected(iterable, played, other);
  onTestFinished(() => crm.close());
  return { played, ...crm };
}

test('off every channel of e-mail, and as before on and off all else: lists are replaced by what is written', async () => {
  const { adapter, played } = await open();
  const before = { emailListIds: [7], unsubscribedChannelIds: [201, 101], unsubscribedMessageTypeIds: [12] };
  played.add(ADA, before);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.of(ADA)).toEqual({ ...before, unsubscribedChannelIds: [201, 101, 102] });
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
});

test('a list is replaced right after it was read, however many wait for their turn', async () => {
  // One call at a time: whatever comes between a read and its write has waited no longer than that.
  const published = { windows: [{ calls: 1_000, perMs: 1_000 }], concurrency: 1 } as const;
  const { adapter, played, server } = await open({}, { pace: new SharedPace({ published, now: Date.now }) });
  const people = Array.from({ length: 8 }, (_, n) => `person-${n}@example.com`);
  for (const email of people) played.add(email);
  await Promise.all(people.map((recipient) => adapter.put(stateOf({ recipient }), signal)));
  const who = server.calls.map((call) => played.recipientOf(call));
  const writes = server.calls.flatMap(({ method }, at) => (method === 'POST' ? at : []));
  expect(writes).toHaveLength(people.length);
  for (const at of writes) expect(who[at - 1]).toBe(who[at]);
});

test('who left a stream is off its message type, and off those of before', async () => {
  const { adapter, played } = await open();
  const before = { emailListIds: [7], unsubscribedChannelIds: [201], unsubscribedMessageTypeIds: [12] };
  played.add(ADA, before);
  expect(await adapter.put(left('digest'), signal)).toBe('written');
  expect(played.of(ADA)).toEqual({ ...before, unsubscribedMessageTypeIds: [12, 11] });
  expect(await adapter.put(left('offers'), signal)).toBe('unchanged');
});

test.each(['empty', 'error'] as const)('an unknown address is done with, told by %s', async (unknown) => {
  const { adapter, played } = await open({ unknown });
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  expect(await adapter.put(left('digest'), signal)).toBe('unchanged');
  expect(played.recipients()).toEqual([]);
});

test('a write that shows later is waited for, and made once', async () => {
  const { adapter, played, server } = await open({ lag: 3 });
  played.add(ADA);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(server.calls.filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('a code of failure inside 200 is one', async () => {
  const { adapter, played } = await open({ code: 'BadParams' });
  played.add(ADA);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'rejected' });
});

test('channels are read once in a while, not for each recipient', async () => {
  let now = 1_000_000;
  const { adapter, server } = await open({ knowsAll: true }, { now: () => now });
  const reads = () => server.calls.filter(({ url }) => url.pathname === '/api/channels').length;
  for (const name of ['a', 'b']) await adapter.put(stateOf({ recipient: `${name}@example.com` }), signal);
  expect(reads()).toBe(1);
  now += 300_000;
  await adapter.put(stateOf(), signal);
  expect(reads()).toBe(2);
});

test('a project without a channel of e-mail suppresses nobody, so it is refused', async () => {
  const { adapter } = await open({ channels: CHANNELS.slice(2), knowsAll: true });
  const refused = { code: 'SINK_CRM_MISCONFIGURED', message: 'the project has no e-mail channel' };
  await expect(adapter.check(signal)).rejects.toMatchObject(refused);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject(refused);
});

test('check: a message type that does not exist is named', async () => {
  const { adapter } = await open({}, { options: { streams: { digest: 99 } } });
  await expect(adapter.check(signal)).rejects.toThrow('options.streams: the project has no message type 99');
});
