import type { Verdict } from '@email-events/esps';
import { createSigner } from '@email-events/esps/accounts';
import { expect, onTestFinished, test } from 'vitest';
import { FetchFailed } from './document-fetcher.ts';
import { fakeAdapter } from './testing/fake-adapter.ts';
import { type Harness, type HarnessOptions, rawOf, startHarness } from './testing/harness.ts';

const AT = Date.now();

async function harness(options: HarnessOptions): Promise<Harness> {
  const started = await startHarness(options);
  onTestFinished(() => started.close());
  return started;
}

async function post({ port }: Harness, headers: object, body: Buffer | string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/webhooks/email-events/ses`, {
    method: 'POST',
    headers: headers as { [name: string]: string },
    body: new Uint8Array(Buffer.from(body)),
  });
  return response.status;
}

test('a subscription is confirmed by visiting its URL, and published nowhere', async () => {
  const signer = await createSigner('ses');
  const visited: string[] = [];
  const fetched: string[] = [];
  const ingress = await harness({
    sources: { ses: { esp: 'ses', options: signer.settings.options } },
    outside: {
      document: async (url) => {
        fetched.push(url);
        return signer.resources.get(url) ?? '';
      },
      visit: async (url) => {
        visited.push(url);
      },
    },
  });
  const { headers, body } = signer.sign({
    body: 'confirm',
    at: AT,
    sns: { type: 'SubscriptionConfirmation' },
  });
  expect(await post(ingress, headers, body)).toBe(200);
  expect(visited).toEqual([expect.stringContaining('Action=ConfirmSubscription')]);
  expect(fetched).toHaveLength(1);
  expect(ingress.published).toHaveLength(0);
});

test('a notification is published; a certificate in the options is not fetched', async () => {
  const signer = await createSigner('ses');
  const options = { ...signer.settings.options, certificates: Object.fromEntries(signer.resources) };
  const ingress = await harness({ sources: { ses: { esp: 'ses', options } } });
  const { headers, body } = signer.sign({ body: '{}', at: AT });
  expect(await post(ingress, headers, body)).toBe(200);
  expect(rawOf(ingress.published[0])).toMatchObject({ esp: 'ses', source: 'ses' });
});

test('a subscription that cannot be confirmed, and a certificate that cannot be had: later, with a status SNS retries on', async () => {
  const signer = await createSigner('ses');
  const failing = () => Promise.reject(new FetchFailed('no'));
  const ingress = await harness({
    sources: { ses: { esp: 'ses', options: signer.settings.options } },
    outside: { document: async (url) => signer.resources.get(url) ?? failing(), visit: failing },
  });
  const subscription = signer.sign({ body: 'confirm', at: AT, sns: { type: 'SubscriptionConfirmation' } });
  expect(await post(ingress, subscription.headers, subscription.body)).toBe(503);
  expect(ingress.logs.at(-1)?.code).toBe('INGRESS_HANDSHAKE_FAILED');
  const certificateUrl = 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-other.pem';
  const notification = signer.sign({ body: '{}', at: AT, sns: { certificateUrl } });
  expect(await post(ingress, notification.headers, notification.body)).toBe(503);
  expect(ingress.logs.at(-1)?.code).toBe('INGRESS_DOCUMENT_UNAVAILABLE');
});

test('SNS discards on any 4xx, so a topic over its rate gets another status', async () => {
  const signer = await createSigner('ses');
  const options = { ...signer.settings.options, certificates: Object.fromEntries(signer.resources) };
  const ingress = await harness({ sources: { ses: { esp: 'ses', options, requestsPerSecond: 0.01 } } });
  const { headers, body } = signer.sign({ body: '{}', at: AT });
  expect(await post(ingress, headers, body)).toBe(200);
  expect(await post(ingress, headers, body)).toBe(503);
  expect(ingress.logs.at(-1)).toMatchObject({ code: 'INGRESS_OVER_RATE', status: 503 });
});

test('an acknowledgement only', async () => {
  const verdict: Verdict = { outcome: 'verified', handshake: { kind: 'acknowledge', note: 'test event' } };
  const ingress = await harness({
    adapters: [fakeAdapter('fake', () => verdict)],
    sources: { ses: { esp: 'fake' } },
  });
  expect(await post(ingress, { 'content-type': 'application/json' }, '{}')).toBe(200);
  expect(ingress.published).toHaveLength(0);
});

test('an adapter that never has enough is refused in the end', async () => {
  let asked = 0;
  const verify = (): Verdict => ({ outcome: 'needs', url: `https://vendor.example/${asked++}` });
  const ingress = await harness({
    adapters: [fakeAdapter('fake', verify)],
    sources: { ses: { esp: 'fake' } },
    outside: { document: async () => 'a document' },
  });
  expect(await post(ingress, { 'content-type': 'application/json' }, '{}')).toBe(401);
  expect(ingress.logs.at(-1)?.code).toBe('CERTIFICATE_UNUSABLE');
  expect(asked).toBeLessThan(5);
});

test('sources are replaced as a whole: the next request sees the new secret', async () => {
  const ingress = await harness({ adapters: [fakeAdapter('fake')], sources: { ses: { esp: 'fake' } } });
  const json = { 'content-type': 'application/json' };
  expect(await post(ingress, json, '[]')).toBe(200);
  const refusing = fakeAdapter('fake', () => ({ outcome: 'refused', code: 'SIGNATURE_WRONG' }));
  const source = ingress.context.sources.get('ses');
  if (!source) throw new Error('no source');
  ingress.context.sources = new Map([
    ['ses', { ...source, verifier: refusing.verifier({ secrets: [], options: {} }) }],
  ]);
  expect(await post(ingress, json, '[]')).toBe(401);
});
