import { expect, onTestFinished, test } from 'vitest';
import { fakeAdapter } from './testing/fake-adapter.ts';
import { type Harness, rawOf, startHarness } from './testing/harness.ts';

const HTTPS = { 'x-forwarded-proto': 'https' };

async function harness(ingress: object, source: object = {}): Promise<Harness> {
  const started = await startHarness({
    adapters: [fakeAdapter('fake')],
    sources: { shop: { esp: 'fake', ...source } },
    ingress,
  });
  onTestFinished(() => started.close());
  return started;
}

async function post({ port }: Harness, headers: { [name: string]: string } = {}): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/webhooks/email-events/shop`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '[]',
  });
  return response.status;
}

test('an address that is not on the list', async () => {
  const ingress = await harness({}, { allow: ['203.0.113.0/24'] });
  expect(await post(ingress)).toBe(403);
  expect(ingress.logs[0]?.code).toBe('INGRESS_ADDRESS_NOT_ALLOWED');
  // This peer is no trusted proxy: what it claims counts for nothing.
  expect(await post(ingress, { 'x-forwarded-for': '203.0.113.7' })).toBe(403);
});

test('behind a trusted proxy the address is the one that the proxy saw', async () => {
  const ingress = await harness(
    { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] },
    { allow: ['203.0.113.0/24'] },
  );
  const from = (chain: string) => post(ingress, { ...HTTPS, 'x-forwarded-for': chain });
  expect(await from('203.0.113.7')).toBe(200);
  expect(await from('198.51.100.9, 203.0.113.7, 10.1.2.3')).toBe(200);
  expect(rawOf(ingress.published[1]).remoteAddress).toBe('203.0.113.7');
  // The left end is what the sender claims.
  expect(await from('203.0.113.7, 198.51.100.9')).toBe(403);
  expect(await from('203.0.113.7, nonsense')).toBe(403);
});

test('a proxy that does not say that it was HTTPS', async () => {
  const ingress = await harness({ trustedProxies: ['127.0.0.1'] });
  for (const headers of [{}, { 'x-forwarded-proto': 'http' }, { 'x-forwarded-proto': 'https, http' }]) {
    expect(await post(ingress, headers as { [name: string]: string })).toBe(403);
    expect(ingress.logs.at(-1)?.code).toBe('INGRESS_PLAIN_HTTP');
  }
  expect(await post(ingress, HTTPS)).toBe(200);
});
