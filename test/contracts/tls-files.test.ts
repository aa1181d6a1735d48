import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, TlsFiles } from '@email-events/core';
import { makeCertificate } from '@email-events/dev/certificates';
import { expect, onTestFinished, test } from 'vitest';

const DAY_MS = 86_400_000;

test('a certificate ends when the first of its chain does', async () => {
  const own = await makeCertificate(['127.0.0.1']);
  const above = await makeCertificate(['above.example'], Date.now() - 30 * DAY_MS);
  const files = await filesOf(`# own\n${own.cert}\n# above\n${above.cert}`, own.key);
  files.read();
  expect(files.expiresAt).toBe(Date.parse(new X509Certificate(above.cert).validTo));
  expect(files.expiresAt).toBeLessThan(Date.parse(new X509Certificate(own.cert).validTo));
});

test('one alone ends when it says', async () => {
  const { cert, key } = await makeCertificate(['127.0.0.1']);
  const files = await filesOf(cert, key);
  expect(files.expiresAt).toBeUndefined();
  files.read();
  expect(files.expiresAt).toBe(Date.parse(new X509Certificate(cert).validTo));
});

async function filesOf(cert: string, key: string): Promise<TlsFiles> {
  const dir = await mkdtemp(join(tmpdir(), 'tls-files-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
  return new TlsFiles({ certFile, keyFile }, createLogger('test', 'silent'), 'INGRESS_RELOAD_REFUSED');
}
