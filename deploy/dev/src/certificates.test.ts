import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { localCertificate, trust } from './certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const DAY_MS = 86_400_000;

const read = (file: string) => readFileSync(file, 'utf8');

test('it is made once; anew for a name that it lacks, and before it ends', async () => {
  const dir = join(folder, 'again');
  const first = await localCertificate(dir, ['localhost', '127.0.0.1']);
  const made = read(first.certFile);
  expect(new X509Certificate(made).subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1');
  await localCertificate(dir, ['localhost']);
  expect(read(first.certFile)).toBe(made);
  await localCertificate(dir, ['localhost', '10.0.0.1']);
  const other = read(first.certFile);
  expect(other).not.toBe(made);
  await localCertificate(dir, ['localhost'], () => Date.now() + 380 * DAY_MS);
  expect(read(first.certFile)).not.toBe(other);
});

test('only the owner can read the key', async () => {
  const { keyFile } = await localCertificate(join(folder, 'owner'), ['localhost']);
  expect(statSync(keyFile).mode & 0o077).toBe(0);
  expect(statSync(join(folder, 'owner')).mode & 0o077).toBe(0);
});

test('clients take it once it is trusted, under its names only', async () => {
  const { ask, certFile } = await served('one', ['localhost']);
  await expect(ask('localhost')).rejects.toThrow('fetch failed');
  trust({ certFile });
  expect(await ask('localhost')).toBe('it is');
  await expect(ask('127.0.0.1')).rejects.toThrow('fetch failed');
});

test('those of several pipelines can be trusted at the same time', async () => {
  const made = await Promise.all(['a', 'b', 'c'].map((dir) => served(dir, ['127.0.0.1'])));
  for (const { certFile } of made) trust({ certFile });
  expect(await Promise.all(made.map(({ ask }) => ask('127.0.0.1')))).toEqual(Array(3).fill('it is'));
});

async function served(dir: string, names: readonly string[]) {
  const { certFile, keyFile } = await localCertificate(join(folder, dir), names);
  return { certFile, ask: await serve({ cert: read(certFile), key: read(keyFile) }) };
}

async function serve(tls: { cert: string; key: string }) {
  const server = createServer(tls, (_request, response) => response.end('it is'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return async (host: string) => {
    const response = await fetch(`https://${host}:${port}/`, { headers: { connection: 'close' } });
    return response.text();
  };
}
