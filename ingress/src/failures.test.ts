import { createSigner } from '@email-events/esps/accounts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fakeAdapter, VERIFIED } from './testing/fake-adapter.ts';
import { type Harness, type HarnessOptions, rawOf, sendRaw, startHarness } from './testing/harness.ts';

async function harness(options: HarnessOptions): Promise<Harness> {
  const started = await startHarness(options);
  onTestFinished(() => started.close());
  return started;
}

const PATH = '/webhooks/email-events/';
const post = (
  { port }: Harness,
  source: string,
  { headers, body, url = '' }: { headers: object; body: Buffer | string; url?: string },
) =>
  fetch(`http://127.0.0.1:${port}${PATH}${source}${url}`, {
    method: 'POST',
    headers: headers as { [name: string]: string },
    body: new Uint8Array(Buffer.from(body)),
  });

describe('what is refused', () => {
  test('writes less log than it sent, whatever is wrong with it', async () => {
    const { settings } = await createSigner('mailgun');
    const ingress = await harness({ sources: { mail: { esp: 'mailgun', ...settings } } });
    const head = 'POST /webhooks/email-events/mail HTTP/1.1\r\nhost:a\r\n';
    const junk = [
      'GET / HTTP/1.1\r\nhost:a\r\n\r\n',
      'GET /webhooks/email-events/x HTTP/1.1\r\nhost:a\r\n\r\n',
      'PUT /webhooks/email-events/mail HTTP/1.1\r\nhost:a\r\n\r\n',
      `${head}content-type:application/json\r\ncontent-length:2\r\n\r\n{}`,
      `${head}content-type:application/json\r\ncontent-length:1\r\n\r\n{`,
      `${head}content-type:text/html\r\ncontent-length:0\r\n\r\n`,
    ];
    let sent = 0;
    for (let round = 0; round < 30; round++) {
      const requests = junk.join('').repeat(5);
      // The last one ends the connection, and is no HTTP.
      sent += requests.length + 2;
      await sendRaw(ingress.port, [`${requests}x\r\n\r\n`]);
    }
    ingress.context.refusals.flush();
    const written = ingress.logs.reduce((sum, line) => sum + JSON.stringify(line).length + 150, 0);
    expect(written).toBeLessThan(sent);
    const codes = new Set(ingress.logs.map(({ code }) => code));
    for (const code of [
      'INGRESS_PATH_UNKNOWN',
      'INGRESS_SOURCE_UNKNOWN',
      'SIGNATURE_MISSING',
      'BODY_UNREADABLE',
    ])
      expect(codes).toContain(code);
  });

  test('whoever makes up names of sources leaves one count behind, not one for each', async () => {
    const ingress = await harness({ sources: {} });
    const made = Array.from({ length: 300 }, (_, i) => `GET ${PATH}made-up-${i} HTTP/1.1\r\nhost:a\r\n\r\n`);
    await sendRaw(ingress.port, [`${made.join('')}x\r\n\r\n`]);
    const told = ingress.logs.filter(({ code }) => code === 'INGRESS_SOURCE_UNKNOWN');
    // The first ones are told with the name that was asked for, since it may be a mistake.
    expect(told.map(({ source }) => source)).toEqual(['made-up-0', 'made-up-1', 'made-up-2']);
    ingress.context.refusals.flush();
    const counted = ingress.logs.filter((line) => line.code === 'INGRESS_SOURCE_UNKNOWN' && line.count);
    expect(counted).toMatchObject([{ count: 297 }]);
  });

  test('says what to look at, and no secret', async () => {
    const signer = await createSigner('customerio');
    const other = await createSigner('customerio');
    const secrets = [...signer.settings.secrets, 'an-older-key'];
    const ingress = await harness({ sources: { cio: { esp: 'customerio', secrets } } });
    const { headers, body } = other.sign({ body: '{"a":1}', at: Date.now() - 7_200_000 });
    expect((await post(ingress, 'cio', { headers, body })).status).toBe(401);
    expect(ingress.logs[0]).toMatchObject({
      code: 'SIGNATURE_WRONG',
      secretsTried: [1, 2],
      bodyBytes: 7,
      contentType: 'application/json',
    });
    expect(ingress.logs[0]?.skewSeconds).toBeLessThan(-7_190);
    expect(ingress.logs[0]?.skewSeconds).toBeGreaterThan(-7_300);
    expect(JSON.stringify(ingress.logs)).not.toContain(secrets[0]);
    expect(JSON.stringify(ingress.logs)).not.toContain(secrets[1]);
  });

  test('says which header of a proxy is missing', async () => {
    const ingress = await harness({
      adapters: [fakeAdapter('fake')],
      sources: { shop: { esp: 'fake', secrets: ['s'] } },
      ingress: { trustedProxies: ['127.0.0.1'] },
    });
    const json = { 'content-type': 'application/json' };
    await post(ingress, 'shop', { headers: json, body: '[]' });
    expect(ingress.logs.at(-1)).toMatchObject({
      code: 'INGRESS_PLAIN_HTTP',
      missingHeaders: ['x-forwarded-proto', 'x-forwarded-for'],
      proxyHeaders: [],
    });
    await post(ingress, 'shop', { headers: { ...json, forwarded: 'for=192.0.2.1' }, body: '[]' });
    expect(ingress.logs.at(-1)).toMatchObject({ missingHeaders: [], proxyHeaders: ['forwarded'] });
    const forwarded = 'for=203.0.113.9;proto=https';
    expect((await post(ingress, 'shop', { headers: { ...json, forwarded }, body: '[]' })).status).toBe(200);
    expect(rawOf(ingress.published[0]).remoteAddress).toBe('203.0.113.9');
  });
});

describe('after many failures', () => {
  test('a genuine request from the same address is taken, at once', async () => {
    const ingress = await harness({
      sources: { mail: { esp: 'postmark', secrets: ['user:password'] } },
      failures: { delayMs: 3_600_000 },
    });
    const as = (credentials: string) => ({
      headers: {
        'content-type': 'application/json',
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      },
      body: '{}',
    });
    const guesses = Array.from({ length: 60 }, (_, i) => post(ingress, 'mail', as(`user:${i}`)));
    const answered = guesses.map((guess) => guess.then(({ status }) => status));
    // Twenty are answered at once, eight wait, and of the others none may hold a connection.
    await expect
      .poll(
        async () => {
          const pending = Symbol('pending');
          const states = await Promise.all(answered.map((one) => Promise.race([one, pending])));
          return states.filter((state) => state === pending).length;
        },
        { timeout: 15_000 },
      )
      .toBe(8);
    expect((await post(ingress, 'mail', as('user:password'))).status).toBe(200);
    await ingress.close();
    await Promise.allSettled(answered);
  });

  test('nothing more is fetched for that address, and for others it is', async () => {
    const signer = await createSigner('ses');
    const fetched: string[] = [];
    const [[certificateUrl = '', pem = '']] = [...signer.resources] as [[string, string]];
    const ingress = await harness({
      sources: { ses: { esp: 'ses', ...signer.settings } },
      ingress: { trustedProxies: ['127.0.0.1'] },
      outside: {
        document: async (url) => {
          fetched.push(url);
          if (url !== certificateUrl) throw new Error('not found');
          return pem;
        },
      },
    });
    const send = (url: string, from: string) => {
      const { headers, body } = signer.sign({ body: '{}', at: Date.now(), sns: { certificateUrl: url } });
      const proxy = { 'x-forwarded-for': from, 'x-forwarded-proto': 'https' };
      return post(ingress, 'ses', { headers: { ...headers, ...proxy }, body });
    };
    for (let i = 0; i < 200; i++) {
      const { status } = await send(`https://sns.eu-west-1.amazonaws.com/${i}.pem`, '192.0.2.1');
      expect(status).toBe(503);
    }
    expect(fetched.length).toBeGreaterThanOrEqual(20);
    // One more every three seconds, however fast they come.
    expect(fetched.length).toBeLessThan(100);
    expect((await send(certificateUrl, '198.51.100.1')).status).toBe(200);
  });
});

test('all requests of one token lie on one partition, and the token is nowhere but in the body', async () => {
  const signer = await createSigner('mailgun');
  const ingress = await harness({ sources: { mail: { esp: 'mailgun', ...signer.settings } } });
  const at = Date.now();
  const send = async (id: string) => {
    const { headers, body } = signer.sign({ body: '{"event-data":{}}', at, id });
    expect((await post(ingress, 'mail', { headers, body })).status).toBe(200);
  };
  for (let i = 0; i < 40; i++) await send(`token-${i}`);
  await send('token-0');
  const partitions = ingress.published.map(({ partition }) => partition);
  expect(partitions.at(-1)).toBe(partitions[0]);
  expect(new Set(partitions)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  expect(rawOf(ingress.published[0]).tokenDigest).toMatch(/^[0-9a-f]{32}$/);
  expect(rawOf(ingress.published[40]).tokenDigest).toBe(rawOf(ingress.published[0]).tokenDigest);
  const shown = JSON.stringify([
    ingress.logs,
    ingress.published.map(({ headers }) => headers.request?.toString()),
  ]);
  expect(shown).not.toContain('token-0');
});

test('what is not signed over a token goes anywhere', async () => {
  const ingress = await harness({
    adapters: [fakeAdapter('fake', () => VERIFIED)],
    sources: { shop: { esp: 'fake', secrets: ['s'] } },
  });
  await post(ingress, 'shop', { headers: { 'content-type': 'application/json' }, body: '[]' });
  expect(ingress.published[0]).not.toHaveProperty('partition');
  expect(rawOf(ingress.published[0]).tokenDigest).toBeNull();
});
