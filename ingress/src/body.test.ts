import { gzipSync } from 'node:zlib';
import { findAdapter, inspectRequest } from '@email-events/esps';
import { createSigner } from '@email-events/esps/accounts';
import { expect, onTestFinished, test } from 'vitest';
import { decodedBody } from './body.ts';
import { type Harness, rawOf, startHarness } from './testing/harness.ts';

const GZIP = { contentEncodings: ['gzip'] } as const;
const everything = () => true;

async function started(source: object = {}): Promise<Harness> {
  const signer = await createSigner('unisender-go');
  const ingress = await startHarness({
    sources: { go: { esp: 'unisender-go', ...signer.settings, ...source } },
  });
  onTestFinished(() => ingress.close());
  return ingress;
}

const post = ({ port }: Harness, body: Buffer, headers: { [name: string]: string }) =>
  fetch(`http://127.0.0.1:${port}/webhooks/email-events/go`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: new Uint8Array(Buffer.from(body)),
  });

async function genuine() {
  const signer = await createSigner('unisender-go');
  const { body } = signer.sign({ body: '{"events_by_user":[]}', at: Date.now() });
  return { signer, body };
}

test.each([
  ['as the header says', { 'content-encoding': 'gzip' }],
  ['as the header says, in capitals', { 'content-encoding': 'GZIP' }],
  ['as its first bytes say', {}],
])('a compressed body is verified and published as it was before, %s', async (_, headers) => {
  const { signer, body } = await genuine();
  const ingress = await started(signer.settings);
  expect((await post(ingress, gzipSync(body), headers as { [name: string]: string })).status).toBe(200);
  expect(ingress.published[0]?.value).toEqual(body);
  expect(rawOf(ingress.published[0]).headers).toEqual({});
  expect(ingress.context.budget.used).toBe(0);
});

test('inspect takes it as well', async () => {
  const { signer, body } = await genuine();
  const adapter = findAdapter('unisender-go');
  if (!adapter) throw new Error('no adapter');
  const verifier = adapter.verifier(signer.settings);
  const request = { method: 'POST', url: '/', headers: { 'content-encoding': 'gzip' }, receivedAt: 1 };
  const inspected = (bytes: Buffer) =>
    inspectRequest({ adapter, verifier, request: { ...request, body: bytes } });
  expect(inspected(gzipSync(body))).toMatchObject({ verified: true, deadLetters: [] });
  expect(inspected(body)).toMatchObject({ verified: false, reason: 'BODY_UNREADABLE' });
});

test('one that was changed, is cut off, or is something else', async () => {
  const { signer, body } = await genuine();
  const ingress = await started(signer.settings);
  const gzip = { 'content-encoding': 'gzip' };
  const changed = Buffer.from(body.toString().replace('events_by_user', 'events_by_usfr'));
  expect((await post(ingress, gzipSync(changed), gzip)).status).toBe(401);
  expect((await post(ingress, gzipSync(body).subarray(0, -9), gzip)).status).toBe(400);
  expect((await post(ingress, body, gzip)).status).toBe(400);
  expect((await post(ingress, gzipSync(body), { 'content-encoding': 'br' })).status).toBe(415);
  expect((await post(ingress, gzipSync(body), { 'content-encoding': 'gzip, gzip' })).status).toBe(415);
  expect(ingress.published).toEqual([]);
  expect(ingress.context.budget.used).toBe(0);
});

test('of a bomb no more is unpacked than a body may have', async () => {
  const bomb = gzipSync(Buffer.alloc(200 * 1_048_576));
  expect(bomb.length).toBeLessThan(300_000);
  let taken = 0;
  const take = (bytes: number) => {
    taken += bytes;
    return true;
  };
  const unpacking = async () => decodedBody(bomb, 'gzip', GZIP, 1_000_000, { take });
  await expect(unpacking()).rejects.toMatchObject({ code: 'INGRESS_BODY_TOO_LARGE' });
  expect(taken).toBeLessThanOrEqual(2_000_000);
  const ingress = await started();
  expect((await post(ingress, bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
  expect(ingress.context.budget.used).toBe(0);
});

test('memory that is not there', async () => {
  const body = gzipSync(Buffer.alloc(500_000));
  const unpacking = async () => decodedBody(body, 'gzip', GZIP, 1_000_000, { take: () => false });
  await expect(unpacking()).rejects.toMatchObject({ code: 'INGRESS_OVERLOADED' });
});

test('an ESP that does not compress: its bodies are what they are', () => {
  const body = gzipSync('x');
  expect(decodedBody(body, undefined, {}, 10, { take: everything })).toBe(body);
});
