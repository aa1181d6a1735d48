import { expect, onTestFinished, test } from 'vitest';
import { fakeAdapter } from './testing/fake-adapter.ts';
import { rawOf, sendRaw, startHarness } from './testing/harness.ts';

async function post(target: string) {
  const ingress = await startHarness({
    adapters: [fakeAdapter('fake')],
    sources: { shop: { esp: 'fake', secrets: ['s3cret'] } },
  });
  onTestFinished(() => ingress.close());
  const head = `POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n`;
  const answer = await sendRaw(ingress.port, [`${head}content-length: 2\r\n\r\n[]`]);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]), published: ingress.published };
}

// What goes past Express's router must be what it would have found; the rest is still its.
test.each([
  '/webhooks/email-events/shop',
  '/webhooks/email-events/shop?',
  '/webhooks/email-events/shop?a=%2F&b=/other',
  '/webhooks/email-events/shop/',
  '/webhooks/email-events/%73hop',
  '/webhooks/email-events/sho%70?a=1',
  'http://anywhere.example/webhooks/email-events/shop',
])('%s is the webhook of the source', async (target) => {
  const { status, published } = await post(target);
  expect(status).toBe(200);
  expect(rawOf(published[0])).toMatchObject({
    source: 'shop',
    url: target.replace('http://anywhere.example', ''),
  });
});

test.each([
  ['/webhooks/email-events/', 404],
  ['/webhooks/email-events/Shop', 404],
  ['/webhooks/email-events/shop2', 404],
  ['/webhooks/email-events/shop/more', 404],
  ['/webhooks/email-events/shop%2Fmore', 404],
  ['/webhooks/email-events/constructor', 404],
  ['/Webhooks/email-events/shop', 404],
  ['/webhooks/email-events//shop', 404],
  ['/webhooks/email-events/shop%', 400],
])('%s is %i', async (target, expected) => {
  const { status, published } = await post(target);
  expect(status).toBe(expected);
  expect(published).toEqual([]);
});
