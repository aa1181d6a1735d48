import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, expect, test } from 'vitest';
import { localCertificate, trust } from '../certificates.ts';
import { type Receiver, startReceiver } from './receiver.ts';

const [NEW, OLD, STRANGE] = [1, 2, 3].map((fill) => `whsec_${Buffer.alloc(24, fill).toString('base64')}`) as [
  string,
  string,
  string,
];

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function newDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'receiver-'));
  cleanups.push(() => rm(dir, { recursive: true }));
  return dir;
}

async function start(dataDir?: string): Promise<Receiver & { url: string; dataDir: string }> {
  const dir = dataDir ?? (await newDir());
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secrets: [NEW, OLD], dataDir: dir });
  cleanups.push(() => receiver.stop());
  return { ...receiver, url: `http://127.0.0.1:${receiver.port}`, dataDir: dir };
}

const reason = {
  reason: 'hard_bounce',
  scope: 'all',
  since: 5,
  esp: 'ses',
  source: 'ses',
  event_id: 'e',
  detail: null,
};

function stateOf(fields: object = {}) {
  return {
    recipient: 'ada@example.com',
    suppressed: true,
    reasons: [reason],
    changed_at: 1_700_000_000_000,
    event_id: 'event-1',
    recorded_at: 1_700_000_001_000,
    ...fields,
  };
}

interface PostOptions {
  readonly secret?: string;
  readonly sentAt?: Date;
  readonly tamper?: (body: string) => string;
}

function post(url: string, value: unknown, { secret = NEW, sentAt = new Date(), tamper }: PostOptions = {}) {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  const headers = {
    'content-type': 'application/json',
    'webhook-id': 'state_1',
    'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign('state_1', sentAt, body),
  };
  return fetch(`${url}/suppressions`, { method: 'POST', headers, body: tamper?.(body) ?? body });
}

async function answerOf(response: Promise<Response>) {
  const { status, body } = await response.then(async (it) => ({ status: it.status, body: await jsonOf(it) }));
  return [status, body.result];
}

const plan = (url: string, body: object) =>
  fetch(`${url}/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

interface Answer {
  readonly result?: string;
  readonly planned?: number;
  readonly suppressions?: { readonly recipient: string }[];
  readonly next?: string | null;
}

const jsonOf = (response: Response) => response.json() as Promise<Answer>;
const getJson = async (url: string) => jsonOf(await fetch(url));

test('a genuine state is kept and can be read', async () => {
  const { url, stats } = await start();
  expect(await answerOf(post(url, stateOf()))).toEqual([200, 'applied']);
  expect(await getJson(`${url}/suppressions/${encodeURIComponent('ada@example.com')}`)).toEqual(stateOf());
  expect((await fetch(`${url}/suppressions/nobody@example.com`)).status).toBe(404);
  const expected = {
    received: 1,
    applied: 1,
    duplicates: 0,
    stale: 0,
    rejected: 0,
    distinctRecipients: 1,
    suppressed: 1,
  };
  expect(stats()).toEqual(expected);
  expect(await getJson(`${url}/stats`)).toEqual(expected);
});

test('each secret is good, for as long as they rotate', async () => {
  const { url } = await start();
  expect(await answerOf(post(url, stateOf(), { secret: OLD }))).toEqual([200, 'applied']);
});

test('what is not genuine is refused', async () => {
  const { url, stats } = await start();
  const hour = 3_600_000;
  const attempts: PostOptions[] = [
    { secret: STRANGE },
    { tamper: (body) => body.replace('true', 'false') },
    { sentAt: new Date(Date.now() - hour) },
    { sentAt: new Date(Date.now() + hour) },
  ];
  for (const attempt of attempts) expect((await post(url, stateOf(), attempt)).status).toBe(401);
  expect(
    (await fetch(`${url}/suppressions`, { method: 'POST', body: JSON.stringify(stateOf()) })).status,
  ).toBe(401);
  expect((await fetch(`${url}/suppressions`, { method: 'POST' })).status).toBe(401);
  expect(stats()).toMatchObject({ received: 0, rejected: 6, distinctRecipients: 0 });
});

test.each([
  'no json',
  '[]',
  'null',
  stateOf({ recipient: '' }),
  stateOf({ suppressed: 'yes' }),
  stateOf({ reasons: [{}] }),
  stateOf({ changed_at: '2026-01-01' }),
  stateOf({ event_id: undefined }),
  stateOf({ recorded_at: 1.5 }),
])('%j is signed and yet no state', async (value) => {
  const { url, stats } = await start();
  expect(await answerOf(post(url, value))).toEqual([422, 'unreadable']);
  expect(stats()).toMatchObject({ rejected: 1, distinctRecipients: 0 });
});

test('a body beyond the limit is refused, and the receiver goes on', async () => {
  const { url } = await start();
  expect((await post(url, stateOf({ event_id: 'x'.repeat(1_100_000) }))).status).toBe(413);
  expect(await answerOf(post(url, stateOf()))).toEqual([200, 'applied']);
});

test('a newer state replaces an older one; the same is a duplicate; an older is stale', async () => {
  const { url, stats } = await start();
  const newer = stateOf({
    suppressed: false,
    reasons: [],
    event_id: 'event-2',
    recorded_at: 1_700_000_002_000,
  });
  expect(await answerOf(post(url, stateOf()))).toEqual([200, 'applied']);
  expect(await answerOf(post(url, newer))).toEqual([200, 'applied']);
  expect(await answerOf(post(url, newer))).toEqual([200, 'duplicate']);
  expect(await answerOf(post(url, stateOf()))).toEqual([200, 'stale']);
  expect(await getJson(`${url}/suppressions/ada@example.com`)).toEqual(newer);
  expect(stats()).toMatchObject({ received: 4, applied: 2, duplicates: 1, stale: 1, suppressed: 0 });
});

test('a late event may lead to a newer state: what counts is when it was recorded', async () => {
  const { url } = await start();
  await post(url, stateOf());
  const late = stateOf({
    event_id: 'event-2',
    changed_at: 1_600_000_000_000,
    recorded_at: 1_700_000_002_000,
  });
  expect(await answerOf(post(url, late))).toEqual([200, 'applied']);
});

test('of two states with revisions the later one counts, whenever they were recorded; any other is told by the time', async () => {
  const { url } = await start();
  const at = (revision: number, recorded_at: number) =>
    stateOf({ revision, recorded_at, event_id: `event-${revision}-${recorded_at}` });
  expect(await answerOf(post(url, at(7, 2_000)))).toEqual([200, 'applied']);
  expect(await answerOf(post(url, at(8, 1_000)))).toEqual([200, 'applied']);
  expect(await answerOf(post(url, at(7, 3_000)))).toEqual([200, 'stale']);
  expect(await answerOf(post(url, at(0, 500)))).toEqual([200, 'stale']);
  expect(await answerOf(post(url, at(0, 4_000)))).toEqual([200, 'applied']);
  expect(await answerOf(post(url, at(9, 3_999)))).toEqual([200, 'stale']);
  expect((await post(url, at(-1, 1))).status).toBe(422);
});

test('without a time of recording the time of change counts', async () => {
  const { url } = await start();
  const at = (changed_at: number) =>
    stateOf({ recorded_at: undefined, changed_at, event_id: `event-${changed_at}` });
  expect(await answerOf(post(url, at(2)))).toEqual([200, 'applied']);
  expect(await answerOf(post(url, at(1)))).toEqual([200, 'stale']);
  expect(await answerOf(post(url, at(3)))).toEqual([200, 'applied']);
});

test('states outlive a restart, and a crash that cut the last line short', async () => {
  const first = await start();
  await post(first.url, stateOf());
  await post(first.url, stateOf({ recipient: 'b@example.com', suppressed: false }));
  await post(first.url, stateOf({ event_id: 'event-2', recorded_at: 1_700_000_002_000 }));
  await first.stop();
  const file = join(first.dataDir, 'suppressions.jsonl');
  await appendFile(file, '{"recipient":"c@exam');

  const second = await start(first.dataDir);
  expect(second.stats()).toMatchObject({ received: 0, distinctRecipients: 2, suppressed: 1 });
  expect(await answerOf(post(second.url, stateOf()))).toEqual([200, 'stale']);
  await post(second.url, stateOf({ recipient: 'd@example.com' }));
  await second.stop();
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).recipient)).toEqual([
    'ada@example.com',
    'b@example.com',
    'd@example.com',
  ]);
});

test('the list comes in pages', async () => {
  const { url } = await start();
  const names = ['e', 'c', 'a', 'd', 'b'];
  await Promise.all(names.map((name) => post(url, stateOf({ recipient: `${name}@example.com` }))));
  const seen: string[] = [];
  let after: string | null = '';
  for (let page = 0; page < 3; page++) {
    const { suppressions = [], next = null } = await getJson(`${url}/suppressions?limit=2&after=${after}`);
    seen.push(...suppressions.map(({ recipient }) => recipient));
    after = next;
  }
  expect(after).toBeNull();
  expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `${name}@example.com`));
  expect((await getJson(`${url}/suppressions?limit=nonsense&after[x]=1`)).suppressions).toHaveLength(5);
});

test('the page shows what is held and lets nothing of it become markup', async () => {
  const { url } = await start();
  expect(await (await fetch(url)).text()).toContain('Nothing yet.');
  const nasty = '"><script>alert(1)</script>';
  await post(
    url,
    stateOf({
      recipient: `${nasty}@example.com`,
      reasons: [{ ...reason, reason: nasty, scope: nasty, esp: nasty, detail: nasty }],
      changed_at: Number.MAX_SAFE_INTEGER,
    }),
  );
  await post(url, stateOf());
  const response = await fetch(url);
  const html = await response.text();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/html/);
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(html).not.toContain('<script');
  expect(html).toContain('&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;@example.com');
  expect(html).toContain('hard bounce <b>1</b>');
  expect(html).toContain('http-equiv="refresh"');
});

test('planned faults come in order, then it behaves', async () => {
  const { url, stats } = await start();
  const planned = await plan(url, {
    next: [
      { kind: 'status', status: 429, retryAfter: 7, times: 2 },
      { kind: 'none' },
      { kind: 'reset' },
      { kind: 'lost-acknowledgement' },
    ],
  });
  expect(await planned.json()).toEqual({ planned: 5 });
  for (const _ of [1, 2]) {
    const throttled = await post(url, stateOf());
    expect([throttled.status, throttled.headers.get('retry-after')]).toEqual([429, '7']);
  }
  expect(stats().received).toBe(0);
  expect(await answerOf(post(url, stateOf()))).toEqual([200, 'applied']);
  await expect(post(url, stateOf({ recipient: 'reset@example.com' }))).rejects.toThrow();
  await expect(post(url, stateOf({ recipient: 'lost@example.com' }))).rejects.toThrow();
  expect((await fetch(`${url}/suppressions/reset@example.com`)).status).toBe(404);
  expect((await fetch(`${url}/suppressions/lost@example.com`)).status).toBe(200);
  expect(await answerOf(post(url, stateOf()))).toEqual([200, 'duplicate']);
});

test('a call that hangs gets no answer until it gives up, and does not keep the receiver from stopping', async () => {
  const { url, stop } = await start();
  await plan(url, { next: [{ kind: 'hang' }] });
  const hanging = post(url, stateOf()).catch(() => 'cut');
  // The next call finds no fault left: the hanging one has taken it.
  await expect.poll(async () => (await jsonOf(await plan(url, {}))).planned).toBe(0);
  await stop();
  expect(await hanging).toBe('cut');
  await stop();
});

test('faults are forgotten on demand, and unreadable ones planned not at all', async () => {
  const { url } = await start();
  await plan(url, { next: [{ kind: 'hang', times: 9 }] });
  expect(await (await plan(url, { clear: true, next: [{ kind: 'none' }] })).json()).toEqual({ planned: 1 });
  for (const next of [
    'hang',
    [{ kind: 'explode' }],
    [{ kind: 'status' }],
    [{ kind: 'status', status: 99 }],
    [{ kind: 'hang', times: 0 }],
    [{ kind: 'hang' }, null],
  ]) {
    const response = await plan(url, { next });
    expect([response.status, await response.json()]).toEqual([400, { planned: 1 }]);
  }
});

test('it refuses to start without a secret, with one that is none, and on a port that is taken', async () => {
  const dataDir = await newDir();
  const { port } = await start();
  const attempt = (options: object) =>
    startReceiver({ host: '127.0.0.1', port: 0, secrets: [NEW], dataDir, ...options });
  await expect(attempt({ secrets: [] })).rejects.toThrow('at least one');
  await expect(attempt({ secrets: ['whsec_'] })).rejects.toThrow();
  await expect(attempt({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('it says that it is well, over HTTPS where it has a certificate', async () => {
  expect(await (await fetch(`${(await start()).url}/healthz`)).json()).toEqual({ status: 'ok' });
  const { certFile, keyFile } = await localCertificate(await newDir(), ['localhost']);
  const tls = { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
  const options = { host: '127.0.0.1', port: 0, secrets: [NEW], dataDir: await newDir(), tls };
  const receiver = await startReceiver(options);
  cleanups.push(() => receiver.stop());
  await expect(fetch(`http://127.0.0.1:${receiver.port}/healthz`)).rejects.toThrow('fetch failed');
  trust({ certFile });
  const response = await fetch(`https://localhost:${receiver.port}/healthz`);
  expect(await response.json()).toEqual({ status: 'ok' });
});

test.each(['--tls-cert', '--tls-key'])('%s alone is refused: it would serve plain HTTP', async (option) => {
  const file = new URL('main.ts', import.meta.url).pathname;
  const env = { PATH: process.env.PATH, EMAIL_EVENTS_RECEIVER_SECRETS: NEW };
  const dataDir = await newDir();
  const args = ['--port', '0', '--data-dir', dataDir, option, join(dataDir, 'some.pem')];
  const child = fork(file, args, { silent: true, env });
  cleanups.push(async () => child.kill('SIGKILL'));
  let said = '';
  child.stdout?.on('data', (text) => {
    said += text;
  });
  expect(await Promise.race([once(child, 'close'), once(child, 'message')])).toEqual([1, null]);
  expect(said).toContain('--tls-cert and --tls-key go together');
});

test('its secrets may be files', async () => {
  const secretFile = join(await newDir(), 'secret');
  await appendFile(secretFile, `${OLD}\n`);
  const file = new URL('main.ts', import.meta.url).pathname;
  const env = { PATH: process.env.PATH, EMAIL_EVENTS_RECEIVER_SECRETS: `${NEW},file:${secretFile}` };
  const child = fork(file, ['--port', '0', '--data-dir', await newDir()], { silent: true, env });
  cleanups.push(async () => child.kill('SIGKILL'));
  const [message] = await once(child, 'message');
  const url = `http://127.0.0.1:${message.ports.http}`;
  expect(await answerOf(post(url, stateOf(), { secret: OLD }))).toEqual([200, 'applied']);
});

test('as a process it says when it is ready and stops with its parent', async () => {
  const file = new URL('main.ts', import.meta.url).pathname;
  const env = { PATH: process.env.PATH, EMAIL_EVENTS_RECEIVER_SECRETS: `${NEW},${OLD}` };
  const child = fork(file, ['--port', '0', '--data-dir', await newDir()], { silent: true, env });
  cleanups.push(async () => child.kill('SIGKILL'));
  const [message] = await once(child, 'message');
  expect(message).toEqual({ ready: true, ports: { http: expect.any(Number) } });
  const url = `http://127.0.0.1:${message.ports.http}`;
  expect(await answerOf(post(url, stateOf(), { secret: OLD }))).toEqual([200, 'applied']);
  child.disconnect();
  expect(await once(child, 'exit')).toEqual([0, null]);
});
