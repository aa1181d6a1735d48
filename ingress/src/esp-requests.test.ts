import { findAdapter, normalizeRequest } from '@email-events/esps';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { mandrill } from '@email-events/esps/accounts/mandrill';
import { expect, onTestFinished, test } from 'vitest';
import { type Harness, rawOf, startHarness } from './testing/harness.ts';

// ESPs send more than events by POST: probes, handshakes, events by GET. Here all of it goes through the real server.

const AT = Date.parse('2026-11-02T09:15:30.000Z');

async function harness(esp: string, signer: Signer): Promise<Harness> {
  const { secrets, options } = signer.settings;
  const started = await startHarness({ sources: { [esp]: { esp, secrets, options } } });
  onTestFinished(() => started.close());
  return started;
}

async function send({ port }: Harness, signer: Signer, body: string): Promise<number> {
  const url = `/webhooks/email-events/${signer.esp}`;
  const request = signer.sign({ body, at: AT, url });
  const { method } = request;
  const response = await fetch(`http://127.0.0.1:${port}${request.url}`, {
    method,
    headers: request.headers as { [name: string]: string },
    ...(method === 'GET' ? {} : { body: new Uint8Array(request.body) }),
  });
  return response.status;
}

async function probe({ port }: Harness, esp: string, method: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/webhooks/email-events/${esp}`, { method });
  return response.status;
}

test('Elastic Email: the event is in the query, the token is not kept', async () => {
  const signer = await createSigner('elasticemail');
  const ingress = await harness('elasticemail', signer);
  const event = 'to=a%40example.com&status=Opened&date=11%2F2%2F2026+9%3A15%3A29+AM&messageid=m';
  expect(await send(ingress, signer, event)).toBe(200);
  const [record] = ingress.published;
  const raw = rawOf(record);
  expect(raw.url).not.toContain(signer.settings.secrets[0]);
  const adapter = findAdapter('elasticemail');
  if (!adapter) throw new Error('no adapter');
  const read = (url: string) =>
    normalizeRequest(adapter, { method: 'GET', url, headers: {}, body: Buffer.alloc(0), receivedAt: AT });
  expect(read(raw.url)).toEqual(read(`/?${event}`));
  expect(read(raw.url).results).toMatchObject([{ events: [{ type: 'opened', recipient: 'a@example.com' }] }]);
});

test('Elastic Email: a test of the URL, and a request without the token', async () => {
  const signer = await createSigner('elasticemail');
  const ingress = await harness('elasticemail', signer);
  expect(await send(ingress, signer, '')).toBe(200);
  expect(await probe(ingress, 'elasticemail', 'GET')).toBe(401);
  expect(ingress.published).toHaveLength(0);
});

test('Mandrill: HEAD, then an empty list signed with the public test key, and nothing else with that key', async () => {
  const signer = mandrill.signer('key');
  const ingress = await harness('mandrill', signer);
  const asTest = mandrill.signer('test-webhook');
  expect(await probe(ingress, 'mandrill', 'HEAD')).toBe(200);
  expect(await send(ingress, asTest, '[]')).toBe(200);
  expect(await send(ingress, asTest, '[{"event":"send"}]')).toBe(401);
  expect(ingress.logs.at(-1)?.code).toBe('TEST_SECRET_NOT_ALLOWED');
  expect(ingress.published).toHaveLength(0);
  expect(await send(ingress, signer, '[{"event":"send"}]')).toBe(200);
  expect(ingress.published).toHaveLength(1);
});

test('SparkPost: the ping of a new webhook needs the password and is published nowhere', async () => {
  const signer = await createSigner('sparkpost');
  const ingress = await harness('sparkpost', signer);
  expect(await send(ingress, signer, '[{"msys":{}}]')).toBe(200);
  expect(await send(ingress, await createSigner('sparkpost'), '[{"msys":{}}]')).toBe(401);
  expect(ingress.published).toHaveLength(0);
});

test('Unisender Go: the URL is tried by GET', async () => {
  const signer = await createSigner('unisender-go');
  const ingress = await harness('unisender-go', signer);
  expect(await probe(ingress, 'unisender-go', 'GET')).toBe(200);
  expect(await send(ingress, signer, '{"events_by_user":[]}')).toBe(200);
  expect(ingress.published).toHaveLength(1);
});

test('SMTP2GO: a form', async () => {
  const signer = await createSigner('smtp2go');
  const ingress = await harness('smtp2go', signer);
  const form: Signer = {
    ...signer,
    sign: (input) => signer.sign({ ...input, contentType: 'application/x-www-form-urlencoded' }),
  };
  expect(await send(ingress, form, 'event=open&rcpt=a%40example.com&time=2026-11-02T09:15:29Z')).toBe(200);
  expect(rawOf(ingress.published[0]).contentType).toBe('application/x-www-form-urlencoded');
});

test('Brevo: what is over the rate is asked to come again by 429', async () => {
  const signer = await createSigner('brevo');
  const { secrets } = signer.settings;
  const sources = { brevo: { esp: 'brevo', secrets, requestsPerSecond: 0.01 } };
  const ingress = await startHarness({ sources });
  onTestFinished(() => ingress.close());
  expect(await send(ingress, signer, '[]')).toBe(200);
  expect(await send(ingress, signer, '[]')).toBe(429);
});
