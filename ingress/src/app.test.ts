import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { PipelineError } from '@email-events/core';
import { createSigner } from '@email-events/esps/accounts';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { fakeAdapter, VERIFIED } from './testing/fake-adapter.ts';
import { type Harness, type HarnessOptions, rawOf, sendRaw, startHarness } from './testing/harness.ts';

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const JSON_HEADERS = { 'content-type': 'application/json' };

async function harness(options: Partial<HarnessOptions> = {}): Promise<Harness> {
  const started = await startHarness({
    adapters: [fakeAdapter('fake')],
    sources: { shop: { esp: 'fake', secrets: ['s3cret'] } },
    ...options,
  });
  onTestFinished(() => started.close());
  return started;
}

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Buffer;
}

interface Received {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
}

function send({ port }: Harness, sent: Sent = {}): Promise<Received> {
  const { method = 'POST', path = '/webhooks/email-events/shop', headers = JSON_HEADERS, body = '[]' } = sent;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port, host: '127.0.0.1', method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(method === 'GET' || method === 'HEAD' ? undefined : body);
  });
}

/** The answer, the one log line and the count all tell the same. */
async function expectRefusal(
  ingress: Harness,
  answer: Received,
  status: number,
  code: string,
): Promise<void> {
  const lines = ingress.logs.filter(({ level }) => level === 'warn' || level === 'error');
  expect(lines).toHaveLength(1);
  expect({ status: answer.status, line: lines[0] }).toMatchObject({ status, line: { code, status } });
  expect(answer.headers['x-request-id']).toMatch(UUID7);
  expect(lines[0]?.requestId).toBe(answer.headers['x-request-id']);
  expect(ingress.published).toHaveLength(0);
  expect(ingress.context.budget.used).toBe(0);
  expect(await ingress.registry.metrics()).toContain(`status="${status}",code="${code}"} 1`);
}

describe('accepted', () => {
  test('the body is published byte for byte, then 200 without a body', async () => {
    const ingress = await harness();
    const body = Buffer.from([0x5b, 0xff, 0xfe, 0x00, 0x0d, 0x0a, 0x5d]);
    const answer = await send(ingress, {
      body,
      headers: { ...JSON_HEADERS, 'x-kept': 'yes', 'x-other': 'no' },
    });
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers['x-powered-by']).toBeUndefined();
    expect(ingress.published[0]?.value).toEqual(body);
    expect(rawOf(ingress.published[0])).toMatchObject({
      requestId: answer.headers['x-request-id'],
      source: 'shop',
      esp: 'fake',
      method: 'POST',
      url: '/webhooks/email-events/shop',
      contentType: 'application/json',
      remoteAddress: '127.0.0.1',
      headers: { 'x-kept': 'yes' },
    });
    expect(answer.headers['x-request-id']).toMatch(UUID7);
    expect(ingress.logs.filter(({ level }) => level !== 'debug')).toEqual([]);
    expect(ingress.context.budget.used).toBe(0);
  });

  test('not before the record is published', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let asked = false;
    const ingress = await harness({
      publish: async () => {
        asked = true;
        await promise;
        return { partition: 0, offset: 0 };
      },
    });
    let answered = false;
    const answer = send(ingress).then((received) => {
      answered = true;
      return received;
    });
    await expect.poll(() => asked).toBe(true);
    await new Promise((next) => setImmediate(next));
    expect(answered).toBe(false);
    resolve();
    expect((await answer).status).toBe(200);
  });

  test.each(['sendgrid', 'mailgun', 'postmark', 'standard-webhooks'])('as %s signs', async (esp) => {
    const signer = await createSigner(esp);
    const ingress = await harness({ sources: { shop: { esp, ...signer.settings } } });
    const { body, headers } = signer.sign({ body: '{"a":1}', at: Date.now() });
    const answer = await send(ingress, { body, headers: headers as { [name: string]: string } });
    expect(answer.status).toBe(200);
    expect(ingress.published[0]?.value).toEqual(body);
  });

  test('the ESP’s own request id is kept, cut to a bounded length', async () => {
    const ingress = await harness();
    await send(ingress, {
      headers: { ...JSON_HEADERS, 'x-request-id': 'esp-1', 'x-amzn-trace-id': 'r'.repeat(5_000) },
    });
    const { headers } = rawOf(ingress.published[0]);
    expect(headers['x-request-id']).toBe('esp-1');
    expect(headers['x-amzn-trace-id']).toHaveLength(1_024);
  });

  test('no secret of the URL is kept', async () => {
    const ingress = await harness();
    await send(ingress, { path: '/webhooks/email-events/shop?token=s3cret&a=1&b=s3cret' });
    expect(rawOf(ingress.published[0]).url).toBe('/webhooks/email-events/shop?token=***&a=1&b=***');
  });

  test('a chunked body', async () => {
    const ingress = await harness();
    const answer = await send(ingress, {
      headers: { ...JSON_HEADERS, 'transfer-encoding': 'chunked' },
      body: '[1]',
    });
    expect(answer.status).toBe(200);
    expect(ingress.published[0]?.value.toString()).toBe('[1]');
  });

  test.each(['GET', 'HEAD'])('a %s probe is answered 200 and published nowhere', async (method) => {
    const ingress = await harness();
    expect((await send(ingress, { method, headers: {} })).status).toBe(200);
    expect(ingress.published).toHaveLength(0);
  });

  test('a GET that carries events', async () => {
    const ingress = await harness({
      adapters: [fakeAdapter('fake', () => VERIFIED, { methods: ['GET'], probes: [] })],
    });
    const answer = await send(ingress, {
      method: 'GET',
      path: '/webhooks/email-events/shop?status=Sent',
      headers: {},
    });
    expect(answer.status).toBe(200);
    expect(rawOf(ingress.published[0])).toMatchObject({
      method: 'GET',
      url: '/webhooks/email-events/shop?status=Sent',
    });
  });
});

describe('refused', () => {
  test.each<[string, Sent, number, string]>([
    ['an unknown source', { path: '/webhooks/email-events/nobody' }, 404, 'INGRESS_SOURCE_UNKNOWN'],
    ['a prototype’s name', { path: '/webhooks/email-events/__proto__' }, 404, 'INGRESS_SOURCE_UNKNOWN'],
    [
      'another prototype’s name',
      { path: '/webhooks/email-events/constructor' },
      404,
      'INGRESS_SOURCE_UNKNOWN',
    ],
    ['another path', { path: '/admin' }, 404, 'INGRESS_PATH_UNKNOWN'],
    ['a broken percent-encoding', { path: '/webhooks/email-events/%E0%A4%A' }, 400, 'INGRESS_URL_MALFORMED'],
    ['another method', { method: 'PUT' }, 405, 'INGRESS_METHOD_NOT_ALLOWED'],
    [
      'another content type',
      { headers: { 'content-type': 'text/html' } },
      415,
      'INGRESS_MEDIA_TYPE_UNSUPPORTED',
    ],
    ['no content type', { headers: {} }, 415, 'INGRESS_MEDIA_TYPE_UNSUPPORTED'],
    [
      'a compressed body',
      { headers: { ...JSON_HEADERS, 'content-encoding': 'gzip' } },
      415,
      'INGRESS_ENCODING_UNSUPPORTED',
    ],
  ])('%s', async (_, sent, status, code) => {
    const ingress = await harness();
    const answer = await send(ingress, sent);
    await expectRefusal(ingress, answer, status, code);
    expect(JSON.parse(answer.body)).toEqual({
      error: expect.any(String),
      requestId: answer.headers['x-request-id'],
    });
    if (status === 405) expect(answer.headers.allow).toBe('POST, HEAD, GET');
  });

  test('too large, known from the headers: refused without reading', async () => {
    const ingress = await harness({ sources: { shop: { esp: 'fake', secrets: ['s'], maxBodyBytes: 10 } } });
    const head = 'POST /webhooks/email-events/shop HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    const answer = await sendRaw(ingress.port, [`${head}content-length: 11\r\n\r\n`]);
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*connection: close/is);
    expect(ingress.logs[0]?.code).toBe('INGRESS_BODY_TOO_LARGE');
  });

  test('too large, found out while reading', async () => {
    const ingress = await harness({ sources: { shop: { esp: 'fake', secrets: ['s'], maxBodyBytes: 10 } } });
    const headers = { ...JSON_HEADERS, 'transfer-encoding': 'chunked' };
    await expectRefusal(
      ingress,
      await send(ingress, { headers, body: '[12345678901]' }),
      413,
      'INGRESS_BODY_TOO_LARGE',
    );
  });

  test.each([
    ['unsigned', 'SIGNATURE_MISSING'],
    ['wrongly signed', 'SIGNATURE_WRONG'],
    ['stale', 'TIMESTAMP_STALE'],
  ])('%s', async (how, code) => {
    const signer = await createSigner('sendgrid');
    const other = await createSigner('sendgrid');
    const ingress = await harness({ sources: { shop: { esp: 'sendgrid', ...signer.settings } } });
    const at = how === 'stale' ? Date.now() - 3 * 86_400_000 : Date.now();
    const signed = (how === 'wrongly signed' ? other : signer).sign({ body: '[]', at });
    const headers = how === 'unsigned' ? JSON_HEADERS : (signed.headers as { [name: string]: string });
    await expectRefusal(ingress, await send(ingress, { headers, body: signed.body }), 401, code);
  });

  test('invalid UTF-8 where the signature is in the body', async () => {
    const signer = await createSigner('mailgun');
    const ingress = await harness({ sources: { shop: { esp: 'mailgun', ...signer.settings } } });
    const answer = await send(ingress, { body: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) });
    await expectRefusal(ingress, answer, 400, 'BODY_UNREADABLE');
  });

  test('in the words of the ESP', async () => {
    const adapter = fakeAdapter('fake', () => ({ outcome: 'refused', code: 'CREDENTIALS_MISSING' }), {
      answers: { later: 429, unauthorized: 401, challenge: 'Basic realm="webhooks"' },
    });
    const ingress = await harness({ adapters: [adapter] });
    const answer = await send(ingress);
    expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Basic realm="webhooks"' } });
  });

  test('a single-use token with another body; the same body is welcome', async () => {
    const adapter = fakeAdapter('fake', () => ({ outcome: 'verified', replayToken: 'once' }));
    const ingress = await harness({ adapters: [adapter] });
    expect((await send(ingress, { body: '[1]' })).status).toBe(200);
    expect((await send(ingress, { body: '[1]' })).status).toBe(200);
    expect((await send(ingress, { body: '[2]' })).status).toBe(401);
    expect(ingress.logs[0]?.code).toBe('TOKEN_REPLAYED');
    expect(ingress.published).toHaveLength(2);
  });

  test('over its rate: what is not genuine uses none of it up', async () => {
    const adapter = fakeAdapter('fake', ({ headers }) =>
      headers['x-good'] ? VERIFIED : { outcome: 'refused', code: 'SIGNATURE_WRONG' },
    );
    const sources = { shop: { esp: 'fake', secrets: ['s'], requestsPerSecond: 0.01 } };
    const ingress = await harness({ adapters: [adapter], sources });
    for (let i = 0; i < 5; i++) expect((await send(ingress)).status).toBe(401);
    const headers = { ...JSON_HEADERS, 'x-good': '1' };
    expect((await send(ingress, { headers })).status).toBe(200);
    const answer = await send(ingress, { headers });
    expect(answer.status).toBe(429);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(90);
    expect(ingress.logs.at(-1)?.code).toBe('INGRESS_OVER_RATE');
  });
});

describe('together over maxBytesPerSecond', () => {
  const body = JSON.stringify(['x'.repeat(9_000)]);
  const of = (account: string, esp = 'fake') => ({ esp, secrets: ['s'], account });
  const overShare = (options: Partial<Parameters<typeof harness>[0]> = {}) =>
    harness({
      adapters: [fakeAdapter('fake', () => VERIFIED), fakeAdapter('other', () => VERIFIED)],
      sources: { shop: of('a'), list: of('b'), news: of('b'), other: of('b', 'other') },
      ingress: { maxBytesPerSecond: 1_000 },
      ...options,
    });
  const path = (source: string) => `/webhooks/email-events/${source}`;

  test('the account that sends most is refused, by all its sources at that ESP', async () => {
    const ingress = await overShare();
    expect((await send(ingress, { path: path('list'), body })).status).toBe(200);
    const answer = await send(ingress, { path: path('news') });
    expect(answer.status).toBe(429);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(ingress.logs.at(-1)?.code).toBe('INGRESS_OVER_SHARE');
    expect((await send(ingress)).status).toBe(200);
    expect((await send(ingress, { path: path('other') })).status).toBe(200);
  });

  test('of many that come at once no more get in than there is room for', async () => {
    const ingress = await overShare();
    const requests = Array.from({ length: 8 }, () =>
      httpRequest({
        ...{ port: ingress.port, method: 'POST', path: path('shop'), agent: false },
        headers: { ...JSON_HEADERS, 'content-length': Buffer.byteLength(body) },
      }),
    );
    const statuses = requests.map(async (each) => {
      const [response] = (await once(each, 'response')) as [IncomingMessage];
      return response.resume().statusCode;
    });
    for (const each of requests) each.flushHeaders();
    // All of them have been let in before the first one has sent its body.
    await vi.waitFor(() => expect(ingress.context.budget.used).toBeGreaterThanOrEqual(8 * 2_048));
    for (const each of requests) each.end(body);
    expect((await Promise.all(statuses)).sort()).toEqual([200, ...Array(7).fill(429)]);
    expect(ingress.published).toHaveLength(1);
  });

  test('a request that Kafka does not take is not counted', async () => {
    let publishing = 0;
    const publish = async () => {
      if (++publishing === 1) throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no');
    };
    const ingress = await overShare({ publish });
    expect((await send(ingress, { body })).status).toBe(503);
    expect((await send(ingress, { body })).status).toBe(200);
    expect((await send(ingress, { body })).status).toBe(429);
  });
});

describe('later', () => {
  test.each(['KAFKA_UNREACHABLE', 'KAFKA_PUBLISH_FAILED', 'KAFKA_BACKLOG_FULL'] as const)(
    '%s',
    async (code) => {
      const ingress = await harness({
        publish: () => Promise.reject(new PipelineError(code, 'retry', 'no')),
      });
      const answer = await send(ingress);
      await expectRefusal(ingress, answer, 503, code);
      expect(answer.headers['retry-after']).toBe('5');
    },
  );

  test('the status is the one that this ESP retries on', async () => {
    const ingress = await harness({
      adapters: [fakeAdapter('fake', () => VERIFIED, { answers: { later: 429, unauthorized: 401 } })],
      publish: () => Promise.reject(new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no')),
    });
    await expectRefusal(ingress, await send(ingress), 429, 'KAFKA_UNREACHABLE');
  });

  test('a record that the topic does not take is no case for later', async () => {
    const ingress = await harness({
      publish: () => Promise.reject(new PipelineError('KAFKA_RECORD_TOO_LARGE', 'reject', 'no')),
    });
    await expectRefusal(ingress, await send(ingress), 413, 'KAFKA_RECORD_TOO_LARGE');
  });

  test('too much in flight', async () => {
    const ingress = await harness({ ingress: { maxInFlightBytes: 4_000 } });
    const answer = await send(ingress, { body: `[${'1'.repeat(3_000)}]` });
    await expectRefusal(ingress, answer, 503, 'INGRESS_OVERLOADED');
    expect((await send(ingress)).status).toBe(200);
  });

  test('what nobody foresaw; no message in the log, and the next request is served', async () => {
    let calls = 0;
    const adapter = fakeAdapter('fake', () => {
      if (calls++ === 0) throw new TypeError('payload: someone@example.com');
      return VERIFIED;
    });
    const ingress = await harness({ adapters: [adapter] });
    await expectRefusal(ingress, await send(ingress), 503, 'INGRESS_UNEXPECTED');
    expect(JSON.stringify(ingress.logs)).not.toContain('someone@example.com');
    expect(ingress.logs[0]).toMatchObject({ level: 'error', cause: 'TypeError' });
    expect((await send(ingress)).status).toBe(200);
  });
});
