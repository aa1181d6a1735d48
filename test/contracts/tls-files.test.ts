import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type Logger, TlsFiles } from '@email-events/core';
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

test.each([
  ['not valid yet', 2 * DAY_MS],
  ['not valid any more', -500 * DAY_MS],
])('of new ones, one that is %s is not taken', async (_, since) => {
  const now = await makeCertificate(['127.0.0.1']);
  const { files, replace, lines } = await watched(now);
  const other = await makeCertificate(['127.0.0.1'], Date.now() + since);
  await replace(other);
  await expect.poll(() => lines.map(({ msg }) => msg)).toContain('the TLS certificate is not valid now');
  expect(files.expiresAt).toBe(endOf(now));
  const next = await makeCertificate(['127.0.0.1']);
  await replace(next);
  await expect.poll(() => files.expiresAt).toBe(endOf(next));
});

test('one that is not valid yet is taken as soon as it is', async () => {
  const { files, replace, taken, lines } = await watched(await makeCertificate(['127.0.0.1']));
  // It begins a day before its time, to the second.
  const soon = await makeCertificate(['127.0.0.1'], Date.now() + DAY_MS + 2_000);
  await replace(soon);
  await expect.poll(() => lines.map(({ msg }) => msg)).toContain('the TLS certificate is not valid now');
  await expect.poll(() => taken, { timeout: 10_000 }).toContain(soon.cert);
  expect(files.expiresAt).toBe(endOf(soon));
});

const endOf = ({ cert }: { readonly cert: string }) => Date.parse(new X509Certificate(cert).validTo);

async function filesOf(cert: string, key: string): Promise<TlsFiles> {
  return new TlsFiles(await written({ cert, key }), createLogger('test', 'silent'), 'INGRESS_RELOAD_REFUSED');
}

async function written(pair: Pair) {
  const dir = await mkdtemp(join(tmpdir(), 'tls-files-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  await write(files, pair);
  return files;
}

const write = ({ certFile, keyFile }: { certFile: string; keyFile: string }, { cert, key }: Pair) =>
  Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);

/** Files that begin with this pair, are looked at all the time, and can be given another. */
async function watched(pair: Pair) {
  const paths = await written(pair);
  const lines: { readonly msg: string }[] = [];
  const tell = (_: object, msg: string) => void lines.push({ msg });
  const log = { error: tell, info: () => {} } as unknown as Logger;
  const files = new TlsFiles(paths, log, 'INGRESS_RELOAD_REFUSED', 20);
  files.read();
  const taken: string[] = [];
  files.watch(({ cert }) => taken.push(cert.toString()));
  onTestFinished(() => files.unwatch());
  return { files, lines, taken, replace: (next: Pair) => write(paths, next) };
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}
