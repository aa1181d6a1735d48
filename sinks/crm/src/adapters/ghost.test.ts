import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { SharedPace } from '../pace.ts';
import { connected } from '../testing/connected.ts';
import { listedBy, stateOf } from '../testing/values.ts';
import { NEWSLETTERS, play } from './ghost.harness.ts';
import { ghost } from './ghost.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';
const [NEWS = '', SHOP = ''] = NEWSLETTERS;

async function open(options: object = {}, now = Date.now, pace?: SharedPace) {
  const played = play();
  const world = await connected(ghost, played, { options, now, ...(pace && { pace }) });
  onTestFinished(() => world.close());
  return { played, ...world };
}

const left = (...scopes: readonly string[]) =>
  stateOf({ suppressed: false, reasons: scopes.map((scope) => ({ scope }) as SuppressionReason) });

test('a member loses its newsletters and keeps its labels', async () => {
  const { played, server, adapter } = await open();
  played.add(ADA, NEWSLETTERS);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.member(ADA)).toEqual({ newsletters: [], labels: ['vip'] });
  const [write] = server.calls.filter(({ method }) => method === 'PUT');
  expect(JSON.parse(write?.body ?? '')).toEqual({ members: [{ newsletters: [] }] });
  expect(await adapter.put(left(), signal)).toBe('unchanged');
  expect(played.member(ADA)?.newsletters).toEqual([]);
});

test('an address that is no member is left alone if so configured', async () => {
  const { played, adapter } = await open({ unknown: 'leave' });
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  expect(played.recipients()).toEqual([]);
});

test('whom it would mail, where unknown addresses are left: members with newsletters', async () => {
  const { played, adapter } = await open({ unknown: 'leave' });
  played.add("o'brien@example.com", [NEWS]);
  played.add('out@example.com', []);
  const asked = [ADA, "o'brien@example.com", 'out@example.com'];
  expect(await adapter.mailed?.(asked, signal)).toEqual(["o'brien@example.com"]);
  expect((await open()).adapter.mailed).toBeUndefined();
});

test('a member that another makes meanwhile loses its newsletters', async () => {
  const { played, adapter } = await open();
  const answer = played.answer;
  played.answer = (call) => {
    if (call.method === 'POST') played.add(ADA, NEWSLETTERS);
    return answer(call);
  };
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.recipients()).toEqual([ADA]);
  expect(played.member(ADA)?.newsletters).toEqual([]);
});

test('members whose addresses differ in the case of letters, or the form of the domain, all lose their newsletters', async () => {
  const { played, adapter } = await open();
  const written = ['Zoe@Bücher.example', 'zoe@xn--bcher-kva.example', 'ZOE@bücher.example'];
  for (const email of written) played.add(email, NEWSLETTERS);
  played.add('zoë@bücher.example', [NEWS]);
  expect(await adapter.put(stateOf({ recipient: 'zoe@xn--bcher-kva.example' }), signal)).toBe('written');
  for (const email of written) expect(played.member(email)?.newsletters).toEqual([]);
  expect(played.member('zoë@bücher.example')?.newsletters).toEqual([NEWS]);
  expect(played.recipients()).toHaveLength(4);
});

test('a member that the site takes for the same, and is not, keeps its newsletters', async () => {
  // As MySQL compares.
  const { played, adapter } = await open({ unknown: 'leave' });
  const { answer } = played;
  played.answer = (call) => answer({ ...call, url: new URL(call.url.href.replaceAll('zoe', 'zo%C3%AB')) });
  played.add('zoë@example.com', [NEWS]);
  expect(await adapter.put(stateOf({ recipient: 'zoe@example.com' }), signal)).toBe('unchanged');
  expect(await adapter.mailed?.(['zoe@example.com'], signal)).toEqual([]);
  expect(played.member('zoë@example.com')?.newsletters).toEqual([NEWS]);
});

test('many long addresses are asked for in several calls, of which none is too long', async () => {
  const { played, server, adapter } = await open({ unknown: 'leave' });
  const asked = Array.from({ length: 20 }, (_, n) => `${'ö'.repeat(60)}${n}@${'d'.repeat(60)}.example`);
  for (const email of asked) played.add(email.toUpperCase(), [NEWS]);
  const none = 'nobody@example.com';
  for (const email of asked) played.add(email, [NEWS]);
  expect(await adapter.mailed?.([none, ...asked], signal)).toEqual(asked);
  expect(server.calls.length).toBeGreaterThan(1);
  for (const { url } of server.calls) expect(url.href.length).toBeLessThan(10_000);
});

test('whoever had an archived newsletter is listed no more once it is active again, and loses it then', async () => {
  const { played, adapter } = await open();
  played.add(ADA, NEWSLETTERS);
  played.archive(SHOP, true);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(await listedBy(adapter)).toEqual([{ recipient: ADA }]);
  played.archive(SHOP, false);
  expect(await listedBy(adapter)).toEqual([]);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.member(ADA)?.newsletters).toEqual([]);
});

test('who left streams loses their newsletters and no others; a member is not made for it', async () => {
  const { played, adapter } = await open({ streams: { newsletter: NEWS } });
  expect(await adapter.put(left('newsletter'), signal)).toBe('unchanged');
  expect(played.recipients()).toEqual([]);
  played.add(ADA, NEWSLETTERS);
  expect(await adapter.put(left('newsletter', 'other'), signal)).toBe('written');
  expect(played.member(ADA)).toEqual({ newsletters: [SHOP], labels: ['vip'] });
  expect(await adapter.put(left('newsletter'), signal)).toBe('unchanged');
});

test('newsletters are written right after they were read, however many wait for their turn', async () => {
  // One call at a time: whatever comes between a read and its write has waited no longer than that.
  const published = { windows: [{ calls: 1_000, perMs: 1_000 }], concurrency: 1 } as const;
  const pace = new SharedPace({ published, now: Date.now });
  const { played, server, adapter } = await open({ streams: { newsletter: NEWS } }, Date.now, pace);
  const people = Array.from({ length: 8 }, (_, n) => `person-${n}@example.com`);
  for (const email of people) played.add(email, NEWSLETTERS);
  const { suppression, recordedAt } = left('newsletter');
  const put = (recipient: string) =>
    adapter.put({ suppression: { ...suppression, recipient }, recordedAt }, signal);
  await Promise.all(people.map(put));
  const who = server.calls.map((call) => played.recipientOf(call));
  const writes = server.calls.flatMap(({ method }, at) => (method === 'PUT' ? at : []));
  expect(writes).toHaveLength(people.length);
  for (const at of writes) expect(who[at - 1]).toBe(who[at]);
  for (const one of people) expect(played.member(one)?.newsletters).toEqual([SHOP]);
});

test('each call has a token of its own, which is not valid for long', async () => {
  let now = 1_900_000_000_000;
  const { server, adapter } = await open({}, () => (now += 60_000));
  await adapter.check(signal);
  await adapter.check(signal);
  const claims = server.calls.map(({ headers }) => {
    const [, part = ''] = (headers.authorization ?? '').split('.');
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as { iat: number; exp: number };
  });
  expect(claims[1]?.iat).toBeGreaterThan(claims[0]?.iat ?? 0);
  for (const { iat, exp } of claims) expect(exp - iat).toBe(300);
});

test('a clock that is behind is not taken for a wrong key', async () => {
  const { server, adapter } = await open();
  server.fault = {
    status: 401,
    body: '{"errors":[{"message":"Invalid token: jwt expired","code":"INVALID_JWT"}]}',
  };
  await expect(adapter.check(signal)).rejects.toThrow('clock is more than five minutes ahead');
  server.fault = { status: 401, body: '{"errors":[{"message":"Unknown Admin API Key"}]}' };
  await expect(adapter.check(signal)).rejects.toThrow(/401$/);
});

test('a check finds a newsletter that the site does not have', async () => {
  const nowhere = '0'.repeat(24);
  const { adapter } = await open({ streams: { newsletter: NEWS, offers: nowhere } });
  await expect(adapter.check(signal)).rejects.toMatchObject({
    code: 'SINK_CRM_MISCONFIGURED',
    message: `options.streams: the site has no newsletter ${nowhere}`,
  });
});

test('all who are not mailed are listed, page by page, whoever comes and goes meanwhile', async () => {
  const { played, server, adapter } = await open();
  const { answer } = played;
  played.answer = (call) => {
    const said = answer(call);
    // Somebody of the first page is on a newsletter again.
    const first = played.member('person-0@example.com');
    if (first) first.newsletters.push(NEWS);
    return said;
  };
  const off = Array.from({ length: 250 }, (_, n) => `person-${n}@example.com`);
  for (const email of off) played.optOut?.(email);
  played.add(ADA, [NEWS]);
  const listed = (await listedBy(adapter)).map(({ recipient }) => recipient);
  expect(listed.sort()).toEqual(off.sort());
  expect(server.calls).toHaveLength(3);
});
