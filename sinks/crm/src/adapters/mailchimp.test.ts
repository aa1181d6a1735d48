import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { connected } from '../testing/connected.ts';
import { stateOf } from '../testing/values.ts';
import { AUDIENCES, INTEREST, type MemberStatus, play, problem } from './mailchimp.harness.ts';
import { apiBase, mailchimp } from './mailchimp.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';
const [FIRST = '', SECOND = ''] = AUDIENCES;

async function open(options: object = {}) {
  const played = play();
  const world = await connected(mailchimp, played, { options: { audiences: [FIRST], ...options } });
  onTestFinished(() => world.close());
  return { played, ...world };
}

const left = (...scopes: readonly string[]) =>
  stateOf({ suppressed: false, reasons: scopes.map((scope) => ({ scope }) as SuppressionReason) });

test.each([
  ['subscribed', 'unsubscribed'],
  ['pending', 'unsubscribed'],
  ['transactional', 'unsubscribed'],
  ['archived', 'unsubscribed'],
  ['unsubscribed', 'unsubscribed'],
  ['cleaned', 'cleaned'],
] as const)('a member that is %s is %s then', async (before, after) => {
  const { played, server, adapter } = await open();
  played.add(FIRST, ADA, before satisfies MemberStatus);
  expect(await adapter.put(stateOf(), signal)).toBe(before === after ? 'unchanged' : 'written');
  expect(server.calls.filter(({ method }) => method !== 'GET')).toHaveLength(before === after ? 0 : 1);
  expect(played.member(FIRST, ADA)?.status).toBe(after);
});

test.each(['Member In Compliance State', 'Forgotten Email Not Subscribed'])(
  '"%s" means done',
  async (title) => {
    const { played, adapter } = await open();
    if (title.startsWith('Forgotten')) played.forget(ADA);
    const answer = played.answer;
    played.answer = (call) => (call.method === 'PUT' ? problem(400, title) : answer(call));
    expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  },
);

test('an address that the audience does not have becomes an unsubscribed member, whatever fields members need', async () => {
  const { played, adapter } = await open();
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.member(FIRST, ADA)?.status).toBe('unsubscribed');
});

test('an address that the audience does not have is left alone if so configured', async () => {
  const { played, server, adapter } = await open({ unknown: 'leave' });
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  played.add(FIRST, ADA, 'archived');
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  expect(server.calls.map(({ method }) => method)).toEqual(['GET', 'GET']);
  played.add(FIRST, ADA, 'subscribed');
  expect(await adapter.put(stateOf(), signal)).toBe('written');
});

test('an address is unsubscribed from each audience, and from the rest of them if a call fails between', async () => {
  const { played, server, adapter } = await open({ audiences: AUDIENCES });
  for (const audience of AUDIENCES) played.add(audience, ADA, 'subscribed');
  const answer = played.answer;
  played.answer = (call) =>
    call.method === 'PUT' && call.url.pathname.includes(SECOND) ? problem(500, 'Internal') : answer(call);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNAVAILABLE' });
  played.answer = answer;
  server.calls.length = 0;
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(AUDIENCES.map((id) => played.member(id, ADA)?.status)).toEqual(['unsubscribed', 'unsubscribed']);
  expect(server.calls.filter(({ method }) => method === 'PUT')).toHaveLength(1);
});

test('who left streams leaves their audiences and interests, and no others', async () => {
  const streams = { newsletter: FIRST, offers: `${SECOND}/${INTEREST}` };
  const { played, adapter } = await open({ streams });
  for (const audience of AUDIENCES) played.add(audience, ADA, 'subscribed');
  expect(await adapter.put(left('offers', 'other'), signal)).toBe('written');
  expect(played.member(SECOND, ADA)).toMatchObject({
    status: 'subscribed',
    interests: { [INTEREST]: false },
  });
  expect(played.member(FIRST, ADA)?.status).toBe('subscribed');
  expect(await adapter.put(left('offers', 'newsletter'), signal)).toBe('written');
  expect(played.member(FIRST, ADA)?.status).toBe('unsubscribed');
  expect(await adapter.put(left(), signal)).toBe('unchanged');
  expect(played.member(SECOND, ADA)?.interests).toEqual({ [INTEREST]: false });
});

test.each([
  ['429', { status: 429, body: '<html>' }],
  ['a bare 403', { status: 403, body: '<html>Access denied' }],
])('%s means too many calls', async (_name, answer) => {
  const { server, adapter } = await open();
  server.fault = answer;
  const throttled = { failure: 'throttled', afterMs: 5_000 };
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject(throttled);
});

test('a bare 403 to one address alone is no limit for the others', async () => {
  const { server, adapter } = await open();
  server.faultsOf.set(ADA, { status: 403, body: '<html>Access denied' });
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNAUTHORIZED' });
});

test('the data center is read from the key', () => {
  const url = mailchimp.settings.shape.url.parse(undefined);
  expect(apiBase(url, '0123abcd-us21')).toBe('https://us21.api.mailchimp.com/3.0');
  expect(apiBase('https://proxy.example', '0123abcd-us21')).toBe('https://proxy.example/3.0');
});

test.each([
  [{ audiences: ['nosuch1'] }, 'options.audiences: the account has no audience nosuch1'],
  [{ streams: { offers: 'nosuch2' } }, 'options.streams: the account has no audience nosuch2'],
  [
    { streams: { offers: `${SECOND}/nosuch3` } },
    `options.streams: the audience ${SECOND} has no interest nosuch3`,
  ],
])('a check of %j finds what the account does not have', async (options, message) => {
  const { adapter } = await open(options);
  await expect(adapter.check(signal)).rejects.toMatchObject({ code: 'SINK_CRM_MISCONFIGURED', message });
});

test('a check finds all that there is', async () => {
  const { adapter } = await open({ streams: { newsletter: FIRST, offers: `${SECOND}/${INTEREST}` } });
  await adapter.check(signal);
});
