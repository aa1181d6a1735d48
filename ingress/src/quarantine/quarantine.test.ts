import { PipelineError, Registry } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { ingressService } from '../descriptor.ts';
import { startHarness } from '../testing/harness.ts';
import { KafkaQuarantine, type QuarantineProducer } from './quarantine.ts';
import { heldIn, heldRecord, type Quarantined, releasedHeaders, releasedIn } from './record.ts';
import { SecondLook } from './second-look.ts';

const { parse } = composeConfig([ingressService]);
const AT = Date.UTC(2026, 0, 2);
const BODY = JSON.stringify([
  { email: 'ann@example.com', event: 'open', sg_event_id: 'a', timestamp: AT / 1_000 },
]);

let right: Signer;
let wrong: Signer;
beforeAll(async () => {
  right = await createSigner('sendgrid');
  wrong = await createSigner('sendgrid');
});

const sourceOf = ({ settings }: Signer, more: object = {}) => ({
  shop: { esp: 'sendgrid', secrets: settings.secrets, quarantine: true, ...more },
});

async function ingressWith(sources: { readonly [name: string]: object }) {
  const harness = await startHarness({ sources });
  onTestFinished(() => harness.close());
  const post = async (signer: Signer, more: { body?: string; method?: string } = {}) => {
    const { headers, body } = signer.sign({ body: more.body ?? BODY, at: Date.now() });
    const response = await fetch(`http://127.0.0.1:${harness.port}/webhooks/email-events/shop?a=b`, {
      method: 'POST',
      headers: headers as { [name: string]: string },
      body: new Uint8Array(Buffer.from(body)),
    });
    return response.status;
  };
  return { ...harness, post };
}

test('what fails its verification is kept as it came, and answered as ever', async () => {
  const { post, quarantined, published } = await ingressWith(sourceOf(wrong));
  expect(await post(right)).toBe(401);
  expect(published).toEqual([]);
  expect(quarantined).toMatchObject([
    { source: 'shop', code: 'SIGNATURE_WRONG', sender: '127.0.0.1', request: { method: 'POST' } },
  ]);
  const [kept] = quarantined;
  expect(kept?.request.url).toBe('/webhooks/email-events/shop?a=b');
  expect(kept?.request.body.toString()).toBe(BODY);
});

test('of a source that keeps nothing, nothing is; nor is what is genuine, or refused for something else', async () => {
  const without = await ingressWith(sourceOf(wrong, { quarantine: false }));
  expect(await without.post(right)).toBe(401);
  expect(without.quarantined).toEqual([]);
  const { post, quarantined, published } = await ingressWith(sourceOf(right, { maxBodyBytes: 1_000 }));
  expect(await post(right)).toBe(200);
  expect(await post(right, { body: JSON.stringify(['x'.repeat(2_000)]) })).toBe(413);
  expect([published.length, quarantined.length]).toEqual([1, 0]);
});

test('with the right secret it is what the ingress would have written, at the time at which it came', async () => {
  const kept = await ingressWith(sourceOf(wrong));
  const taken = await ingressWith(sourceOf(right));
  await kept.post(right);
  await taken.post(right);
  const [held] = kept.quarantined as [Quarantined];
  const stillWrong = new SecondLook(parse({ sources: sourceOf(wrong) }));
  expect(await stillWrong.at(held)).toEqual({ code: 'SIGNATURE_WRONG' });
  const look = new SecondLook(parse({ sources: sourceOf(right) }));
  const verdict = await look.at(heldIn(heldRecord(held)) as Quarantined);
  if (!('record' in verdict)) throw new Error(verdict.code);
  const { headers, value, topic } = verdict.record;
  expect([topic, value?.toString()]).toEqual(['email.raw', BODY]);
  const [published] = taken.published;
  const { released, ...others } = headers ?? {};
  expect(released?.toString()).toBe('1');
  const { request, source } = published?.headers ?? {};
  const said = (bytes: Buffer | undefined) => ({ ...JSON.parse(String(bytes)), receivedAt: 0 });
  expect(Object.keys(others).sort()).toEqual(Object.keys(published?.headers ?? {}).sort());
  expect([others.source, said(others.request)]).toEqual([source, said(request)]);
  expect(JSON.parse(String(others.request)).receivedAt).toBe(held.request.receivedAt);
  await Promise.all([look.close(), stillWrong.close()]);
});

test('a signature is not too old for having waited, and one that was too old when it came still is', async () => {
  const signer = await createSigner('resend');
  const { headers, body } = signer.sign({ body: '{}', at: AT });
  const look = new SecondLook(
    parse({ sources: { shop: { esp: 'resend', secrets: signer.settings.secrets } } }),
  );
  onTestFinished(() => look.close());
  const heldAt = (receivedAt: number): Quarantined => ({
    ...{ requestId: 'r', source: 'shop', code: 'SIGNATURE_WRONG', sender: null },
    request: { method: 'POST', url: '/', headers, body: Buffer.from(body), receivedAt },
  });
  expect(await look.at(heldAt(AT + 5_000))).toHaveProperty('record');
  expect(await look.at(heldAt(AT + 30 * 86_400_000))).toEqual({ code: 'TIMESTAMP_STALE' });
  expect(await look.at({ ...heldAt(AT), source: 'gone' })).toEqual({ code: 'INGRESS_SOURCE_UNKNOWN' });
});

test('a record says what it holds; one that says something else holds nothing', () => {
  const record = (headers: { readonly [name: string]: Buffer }, value: Buffer | null = Buffer.from('x')) => ({
    headers,
    value,
  });
  const place = { partition: 0, offset: 7 };
  expect(releasedIn(record(releasedHeaders(place), null))).toEqual(place);
  expect(heldIn(record(releasedHeaders(place), null))).toBeUndefined();
  for (const text of ['', '{', 'null', '[]', '{"requestId":1}', '{"partition":"0","offset":1}']) {
    const bytes = Buffer.from(text);
    expect(heldIn(record({ quarantined: bytes }))).toBeUndefined();
    expect(releasedIn(record({ released: bytes }))).toBeUndefined();
  }
});

test('no more is kept of a source than its share in requests and bytes, and what Kafka does not take is counted', async () => {
  const sent: number[] = [];
  let fails = false;
  const producer: QuarantineProducer = {
    start: async () => {},
    publish: async ({ value }) => {
      if (fails) throw Object.assign(new Error('away'), { code: 'KAFKA_UNREACHABLE' });
      sent.push(value.length);
    },
    close: async () => {},
  };
  const metrics = new Registry();
  let made = 0;
  const quarantine = new KafkaQuarantine({
    ...{ requestsPerSecond: 3, bytesPerSecond: 10_240, metrics },
    producer: () => {
      made++;
      return producer;
    },
  });
  const keep = (source: string, bytes: number) =>
    quarantine.keep({
      ...{ requestId: 'r', source, code: 'SIGNATURE_WRONG', sender: null },
      request: { method: 'POST', url: '/', headers: {}, body: Buffer.alloc(bytes), receivedAt: AT },
    });
  expect(made).toBe(0);
  for (let i = 0; i < 5; i++) keep('many', 10);
  keep('large', 1_000_000);
  keep('large', 10);
  keep('other', 10);
  await expect.poll(() => sent).toEqual([10, 10, 10, 1_000_000, 10]);
  fails = true;
  keep('other', 10);
  const told = async (result: string) =>
    [
      ...(await metrics.metrics()).matchAll(new RegExp(`source="(\\w+)",result="${result}"\\} (\\d+)`, 'g')),
    ].map(([, source, count]) => `${source} ${count}`);
  await expect.poll(() => told('kept')).toEqual(['many 3', 'large 1', 'other 1']);
  expect(await told('over_rate')).toEqual(['many 2', 'large 1']);
  await expect.poll(async () => (await metrics.metrics()).includes('source="other",result="')).toBe(true);
  expect(made).toBe(1);
  await quarantine.close();
});

test('what comes while the producer is only being connected is kept once it is, and is given up after a while', async () => {
  const sent: number[] = [];
  let left = 3;
  const producer: QuarantineProducer = {
    start: async () => {},
    async publish({ value }) {
      if (left-- > 0) throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'not yet');
      sent.push(value.length);
    },
    close: async () => {},
  };
  const metrics = new Registry();
  const quarantine = new KafkaQuarantine({
    ...{ requestsPerSecond: 100, bytesPerSecond: 10_240, waitMs: 2_000, maxWaitingBytes: 25, metrics },
    producer: () => producer,
  });
  onTestFinished(() => quarantine.close());
  const keep = (bytes: number) =>
    quarantine.keep({
      ...{ requestId: 'r', source: 'shop', code: 'SIGNATURE_WRONG', sender: null },
      request: { method: 'POST', url: '/', headers: {}, body: Buffer.alloc(bytes), receivedAt: AT },
    });
  const results = async () =>
    [...(await metrics.metrics()).matchAll(/result="(\w+)"\} (\d+)/g)].map(
      ([, result, n]) => `${result} ${n}`,
    );
  keep(10);
  keep(11);
  keep(12);
  await expect.poll(() => sent.sort()).toEqual([10, 11]);
  await expect.poll(results).toEqual(['KAFKA_BACKLOG_FULL 1', 'kept 2']);
  left = Number.POSITIVE_INFINITY;
  keep(20);
  await expect.poll(results, { timeout: 10_000 }).toContain('KAFKA_UNREACHABLE 1');
});
