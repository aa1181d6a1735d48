import { X509Certificate } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { makeCertificate } from '@email-events/dev/certificates';
import { expect, onTestFinished, test } from 'vitest';
import { fakeAdapter } from './testing/fake-adapter.ts';
import { startHarness } from './testing/harness.ts';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** An ingress that serves HTTPS by this pair, until the test is over, and the files that it reads it from. */
async function serving(pair: Pair, settings: object = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'ingress-tls-'));
  const files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  await install(files, pair);
  const ingress = await startHarness({
    adapters: [fakeAdapter('fake')],
    sources: { shop: { esp: 'fake' } },
    ingress: { tls: files, ...settings },
    tlsPollMs: 20,
  });
  onTestFinished(async () => {
    await ingress.close();
    await rm(dir, { recursive: true });
  });
  return { ingress, files };
}

const pairOf = () => makeCertificate(['127.0.0.1']);
const serialOf = ({ cert }: Pair) => new X509Certificate(cert).serialNumber;

test('serves HTTPS and takes over a renewed certificate without a restart; one that is unusable changes nothing', async () => {
  const [first, renewed] = [await pairOf(), await pairOf()];
  expect(serialOf(first)).not.toBe(serialOf(renewed));
  const { ingress, files } = await serving(first);
  expect(await post(ingress.port)).toEqual({ status: 200, serial: serialOf(first) });

  await replace(files.certFile, 'no certificate');
  await expect.poll(() => ingress.logs.map(({ code }) => code)).toContain('INGRESS_RELOAD_REFUSED');
  expect(await post(ingress.port)).toEqual({ status: 200, serial: serialOf(first) });

  await install(files, renewed);
  await expect
    .poll(() => post(ingress.port), { timeout: 10_000 })
    .toEqual({ status: 200, serial: serialOf(renewed) });
});

test('by TLS too, a request on its way gives way when all places are taken', async () => {
  const pair = await pairOf();
  const { ingress } = await serving(pair, { maxConnections: 1 });
  const slow = connect({ port: ingress.port, host: '127.0.0.1', rejectUnauthorized: false });
  const gone = new Promise((resolve) => slow.once('close', resolve));
  slow.write(`POST /webhooks/email-events/shop HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`);
  slow.write('content-length: 100\r\n\r\n[1');
  await expect.poll(() => ingress.context.budget.used).toBeGreaterThan(0);
  expect(await post(ingress.port)).toEqual({ status: 200, serial: serialOf(pair) });
  await gone;
  expect(ingress.logs).toMatchObject([{ code: 'INGRESS_CONNECTION_EVICTED', source: 'shop' }]);
});

async function install(files: { certFile: string; keyFile: string }, pair: Pair) {
  await replace(files.keyFile, pair.key);
  await replace(files.certFile, pair.cert);
}

/** As tools that renew certificates do: a new file under the old name. */
async function replace(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

function post(port: number): Promise<{ status: number | undefined; serial: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path: '/webhooks/email-events/shop',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        agent: false,
        rejectUnauthorized: false,
      },
      (response) => {
        const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
        response.resume().on('end', () => resolve({ status: response.statusCode, serial }));
      },
    );
    sent.on('error', reject);
    sent.end('[]');
  });
}
