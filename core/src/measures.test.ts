import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { measureCertificate, measureDisk } from './measures.ts';
import { Registry } from './telemetry.ts';

const sampleOf = (text: string, name: string) => {
  const found = new RegExp(`^${name}\\S* (\\S+)$`, 'm').exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
};

test('the disk under a folder is measured once the folder is there', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'measures-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  const metrics = new Registry();
  measureDisk(metrics, 'state', join(parent, 'not-yet'));
  expect(sampleOf(await metrics.metrics(), 'email_events_disk_free_bytes')).toBeUndefined();
  const there = new Registry();
  measureDisk(there, 'spool', parent);
  const text = await there.metrics();
  expect(text).toContain('email_events_disk_free_bytes{disk="spool"}');
  const [free, size] = ['free', 'size'].map((what) => sampleOf(text, `email_events_disk_${what}_bytes`) ?? 0);
  expect(free).toBeGreaterThan(0);
  expect(size).toBeGreaterThanOrEqual(free ?? 0);
});

test('a certificate tells when it expires; where there is none, nothing is told', async () => {
  const metrics = new Registry();
  const tls: { expiresAt: number | undefined } = { expiresAt: undefined };
  measureCertificate(metrics, tls);
  const told = async () => sampleOf(await metrics.metrics(), 'email_events_certificate_expires_seconds');
  expect(await told()).toBeUndefined();
  tls.expiresAt = Date.UTC(2027, 0, 1);
  expect(await told()).toBe(Date.UTC(2027, 0, 1) / 1_000);
});
