import { recipientKey } from '@email-events/schemas';
import { crmOf } from '@email-events/sink-crm';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { settingsOf, suppression } from '../contracts/crm/crm-world.ts';
import { type Ghost, startGhost } from './servers/ghost.ts';
import { asIntegration } from './servers/ghost-site.ts';

// The adapter's promises, kept to a real Ghost: its double in sinks/crm/src/adapters/ghost.harness.ts answers as this one does.
const INSTALL_MS = 900_000;
const { signal } = new AbortController();
let ghost: Ghost;
beforeAll(async () => {
  ghost = await startGhost();
  ghost.database.watch();
}, INSTALL_MS);
afterAll(() => ghost.stop());

function adapterOf(options: object = {}, secrets = [ghost.key], now = Date.now) {
  const settings = settingsOf('ghost', { url: ghost.url, secrets, options, timeoutMs: 30_000 });
  const adapter = crmOf(settings).connect(settings, now);
  onTestFinished(() => adapter.close());
  return adapter;
}

const suppressed = (recipient: string) => ({
  suppression: suppression(recipient, 'complaint:all'),
  recordedAt: 1,
});
const off = (recipient: string, ...scopes: string[]) => ({
  suppression: suppression(recipient, ...scopes.map((scope) => `unsubscribe:${scope}`)),
  recordedAt: 1,
});

interface Member {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly note: string | null;
  readonly labels: readonly { readonly name: string }[];
  readonly newsletters: readonly { readonly id: string }[];
}

/** Somebody signs up: who names no newsletters gets all. */
async function join(fields: object): Promise<Member> {
  const answer = await asIntegration(ghost, 'POST', 'members/', { members: [fields] });
  const { members } = (await answer.json()) as { members: [Member] };
  return members[0];
}

async function read(id: string): Promise<Member> {
  const { members } = (await (await asIntegration(ghost, 'GET', `members/${id}/`)).json()) as {
    members: [Member];
  };
  return members[0];
}

/** Whoever was subscribed to something since, as often as it happened. */
function subscribedSince(count: number): string[] {
  return ghost.database.subscriptions().slice(count);
}

/** What the database holds of an address, however it is written there. */
const heldOf = (address: string) =>
  ghost.database.members().filter(({ email }) => recipientKey(email) === recipientKey(address));

let last = 0;
const someone = (name = 'person') => `${name}-${++last}@example.com`;

test('a check tells credentials that are good from others, and finds a newsletter that is not there', async () => {
  await adapterOf({ streams: { news: ghost.newsletters[0] } }).check(signal);
  const wrong = `${ghost.key.split(':')[0]}:${'9f'.repeat(32)}`;
  const unknown = `${'1a'.repeat(12)}:${'9f'.repeat(32)}`;
  for (const secret of [wrong, unknown])
    await expect(adapterOf({}, [secret]).check(signal)).rejects.toMatchObject({
      code: 'SINK_CRM_UNAUTHORIZED',
    });
  const behind = adapterOf({}, [ghost.key], () => Date.now() - 900_000);
  await expect(behind.check(signal)).rejects.toThrow('clock');
  const nowhere = '0'.repeat(24);
  await expect(adapterOf({ streams: { news: nowhere } }).check(signal)).rejects.toMatchObject({
    code: 'SINK_CRM_MISCONFIGURED',
  });
});

test('a member loses all newsletters and keeps everything else; a lift gives none back', async () => {
  const member = await join({ email: someone(), name: 'Ada', note: 'a friend', labels: [{ name: 'vip' }] });
  expect(member.newsletters).toHaveLength(2);
  const count = ghost.database.subscriptions().length;
  const adapter = adapterOf();
  expect(await adapter.put(suppressed(member.email), signal)).toBe('written');
  expect(await adapter.put(suppressed(member.email), signal)).toBe('unchanged');
  expect(await read(member.id)).toMatchObject({
    ...{ newsletters: [], name: 'Ada', note: 'a friend', labels: [{ name: 'vip' }] },
  });
  expect(await adapter.put(off(member.email), signal)).toBe('unchanged');
  expect(heldOf(member.email)[0]?.newsletters).toEqual([]);
  expect(subscribedSince(count)).toEqual([]);
});

test('an unknown address becomes one member without newsletters, also if two make it at once; or it is left', async () => {
  const count = ghost.database.subscriptions().length;
  const [email, other] = [someone(), someone()];
  const results = await Promise.all([1, 2, 3].map(() => adapterOf().put(suppressed(email), signal)));
  expect(results).toContain('written');
  expect(heldOf(email)).toEqual([{ email, name: null, newsletters: [] }]);
  const leaving = adapterOf({ unknown: 'leave' });
  expect(await leaving.put(suppressed(other), signal)).toBe('unchanged');
  expect(heldOf(other)).toEqual([]);
  expect(subscribedSince(count)).toEqual([]);
});

test('members whose addresses differ in the case of letters all lose their newsletters, and no other member is made', async () => {
  const email = someone('case');
  const written = [email.toUpperCase(), email.replace('case', 'Case')];
  for (const each of written) await join({ email: each });
  expect(await adapterOf().put(suppressed(email), signal)).toBe('written');
  const held = heldOf(email);
  expect(held.map((member) => member.email).sort()).toEqual(written.sort());
  for (const { newsletters } of held) expect(newsletters).toEqual([]);
});

test('an address that begins or ends like another is another', async () => {
  const email = someone('bob');
  const alike = [`x${email}`, `${email}.au`, email.replace('bob', 'b_b'), email.replace('bob', 'b%b')];
  for (const each of alike) await join({ email: each });
  expect(await adapterOf({ unknown: 'leave' }).put(suppressed(email), signal)).toBe('unchanged');
  for (const each of alike) expect(heldOf(each)[0]?.newsletters).toHaveLength(2);
  await adapterOf().put(suppressed(email.replace('bob', 'b_b')), signal);
  expect(heldOf(email.replace('bob', 'b_b'))[0]?.newsletters).toEqual([]);
  expect(heldOf(email.replace('bob', 'b%b'))[0]?.newsletters).toHaveLength(2);
});

test.each([
  `o'brien+news@example.com`,
  `'x'@example.com`,
  '"two words"@example.com',
  'percent%40@example.com',
  'zoë@example.com',
  'Jörg@bücher.example',
])('the address %s is found again', async (address) => {
  const member = await join({ email: address });
  const recipient = recipientKey(address);
  const adapter = adapterOf({ unknown: 'leave' });
  expect(await adapter.mailed?.([recipient], signal)).toEqual([recipient]);
  expect(await adapter.put(suppressed(recipient), signal)).toBe('written');
  expect((await read(member.id)).newsletters).toEqual([]);
  expect(await adapter.mailed?.([recipient], signal)).toEqual([]);
});

test('an address that Ghost takes for none is refused for good', async () => {
  const put = adapterOf().put(suppressed('nobody@invalid'), signal);
  await expect(put).rejects.toMatchObject({ failure: 'rejected', code: 'SINK_CRM_REJECTED' });
});

test('who leaves a stream loses its newsletter and no other, and is put on none', async () => {
  const [news, shop] = ghost.newsletters;
  const adapter = adapterOf({ streams: { news } });
  const member = await join({ email: someone(), labels: [{ name: 'vip' }] });
  const count = ghost.database.subscriptions().length;
  expect(await adapter.put(off(member.email, 'news', 'other'), signal)).toBe('written');
  expect(await adapter.put(off(member.email, 'news'), signal)).toBe('unchanged');
  expect(await read(member.id)).toMatchObject({ newsletters: [{ id: shop }], labels: [{ name: 'vip' }] });
  const unknown = someone();
  expect(await adapter.put(off(unknown, 'news'), signal)).toBe('unchanged');
  expect(heldOf(unknown)).toEqual([]);
  expect(subscribedSince(count)).toEqual([]);
});

test('a member that is gone between read and write is looked at again', async () => {
  const member = await join({ email: someone() });
  const adapter = adapterOf({ unknown: 'leave' });
  const [result] = await Promise.all([
    adapter.put(suppressed(member.email), signal),
    asIntegration(ghost, 'DELETE', `members/${member.id}/`),
  ]);
  expect(['written', 'unchanged']).toContain(result);
  expect(heldOf(member.email)).toEqual([]);
});

test('an archived newsletter stays with the member unseen; active again, the member is no longer listed, and loses it', async () => {
  const [, shop] = ghost.newsletters;
  const { email } = await join({ email: someone() });
  const adapter = adapterOf();
  const archive = (status: string) =>
    asIntegration(ghost, 'PUT', `newsletters/${shop}/`, { newsletters: [{ status }] });
  await archive('archived');
  expect(await adapter.put(suppressed(email), signal)).toBe('written');
  expect(heldOf(email)[0]?.newsletters).toEqual([shop]);
  expect((await listed()).includes(email)).toBe(true);
  await archive('active');
  expect((await listed()).includes(email)).toBe(false);
  expect(await adapter.put(suppressed(email), signal)).toBe('written');
  expect(heldOf(email)[0]?.newsletters).toEqual([]);
});

async function listed(): Promise<string[]> {
  const all: string[] = [];
  for await (const { contacts } of adapterOf().suppressed?.(signal) ?? [])
    all.push(...contacts.map(({ recipient }) => recipient));
  return all;
}

test('the listing has everybody without newsletters once, page by page, over a Ghost that is killed in between', async () => {
  const out = Array.from({ length: 130 }, () => someone('out'));
  for (const email of out) await join({ email, newsletters: [] });
  const on = await join({ email: someone('on') });
  const seen: string[] = [];
  let [from, pages]: [string | undefined, number] = [undefined, 0];
  do {
    for await (const { contacts, next } of adapterOf().suppressed?.(signal, from) ?? []) {
      seen.push(...contacts.map(({ recipient }) => recipient));
      from = next;
      break;
    }
    pages += 1;
    if (pages === 1) {
      await ghost.component.kill();
      await ghost.component.start();
      // Somebody whom the first page had leaves it.
      await comesBack(seen[0] ?? '');
    }
  } while (from !== undefined);
  expect(pages).toBeGreaterThan(1);
  const expected = ghost.database.members().filter(({ newsletters }) => newsletters.length === 0);
  expect([...new Set(seen)]).toHaveLength(seen.length);
  const left = seen.filter((email) => email !== seen[0]);
  expect(left.sort()).toEqual(expected.map(({ email }) => email).sort());
  expect(seen).not.toContain(on.email);
});

/** The member is on a newsletter again, by its own choice. */
async function comesBack(email: string): Promise<void> {
  const [member] = heldOf(email);
  expect(member).toBeDefined();
  const filter = encodeURIComponent(`email:'${email.replace(/['"]/g, '\\$&')}'`);
  const found = await asIntegration(ghost, 'GET', `members/?filter=${filter}`);
  const { members } = (await found.json()) as { members: [Member] };
  const newsletters = [{ id: ghost.newsletters[0] }];
  await asIntegration(ghost, 'PUT', `members/${members[0].id}/`, { members: [{ newsletters }] });
}

test('it sets no limit to calls, and does not lock out a key after wrong ones', async () => {
  const wrong = adapterOf({}, [`${ghost.key.split(':')[0]}:${'9f'.repeat(32)}`]);
  for (let times = 0; times < 40; times += 1) await expect(wrong.check(signal)).rejects.toThrow();
  const adapter = adapterOf();
  const people = Array.from({ length: 80 }, () => someone('many'));
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    for (let at = lane; at < people.length; at += 16)
      expect(await adapter.put(suppressed(people[at] ?? ''), signal)).toBe('written');
  });
  await Promise.all(lanes);
  for (const email of people) expect(heldOf(email)).toHaveLength(1);
});
