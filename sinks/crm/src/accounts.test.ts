import { Secret } from '@email-events/core';
import { expect, test } from 'vitest';
import { pacesOf } from './accounts.ts';
import { crmSection } from './config.ts';
import type { ConfiguredCrm } from './settings.ts';

function crm(name: string, given: object): ConfiguredCrm {
  const settings = crmSection.parse({ kind: 'brevo', ...given });
  if (!settings) throw new Error('no settings');
  const secrets = settings.secrets.map((secret) => new Secret(String(secret)));
  return { name, path: `sinks.crm.others.${name}`, consumer: name, settings: { ...settings, secrets } };
}

const paceOfAll = (...crms: ConfiguredCrm[]) => {
  const paces = pacesOf(crms);
  return crms.map(({ consumer }) => paces.get(consumer));
};

test('two of one account share its limit, by the mean of their shares', () => {
  const [a, b, other] = paceOfAll(
    crm('a', { secrets: ['one'] }),
    crm('b', { secrets: ['one'], options: { streams: { news: 1 } } }),
    crm('other', { secrets: ['two'] }),
  );
  if (!a || !b || !other) throw new Error('no pace');
  a.setShare(1);
  b.setShare(1);
  other.setShare(1);
  const whole = other.callsPerSecond;
  expect(whole).toBeGreaterThan(8);
  expect(a.callsPerSecond).toBe(whole);
  expect(b.callsPerSecond).toBe(whole);
  // One instance of two: half of the partitions of each group.
  a.setShare(0.5);
  b.setShare(0.5);
  expect(a.callsPerSecond).toBeLessThanOrEqual(5);
  // While those of one move, the other has no more than its own part.
  a.setShare(undefined);
  b.setShare(1);
  expect(b.callsPerSecond).toBeLessThanOrEqual(5);
  b.setShare(undefined);
  expect(b.callsPerSecond).toBe(0);
  expect(other.callsPerSecond).toBe(whole);
});

test('calls of both count for one limit', async () => {
  const [a, b] = paceOfAll(
    crm('a', { secrets: ['one'], callsPerSecond: 1 }),
    crm('b', { secrets: ['one'], callsPerSecond: 1 }),
  );
  const given = new AbortController();
  const call = async () => ({ status: 200, headers: {} });
  await a?.run(call, given.signal);
  const second = b?.run(call, given.signal);
  const first = await Promise.race([
    second?.then(() => 'called'),
    new Promise((end) => setImmediate(end, 'waits')),
  ]);
  expect(first).toBe('waits');
  given.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
});

test('where each account has its own address, that is the account, whatever the key', () => {
  const of = (url: string, key: string) =>
    crm(`${url}${key}`, { kind: 'activecampaign', url: `https://${url}.api-us1.com`, secrets: [key] });
  const [a, b, c] = paceOfAll(of('acme', 'one'), of('acme', 'two'), of('other', 'one'));
  a?.setShare(1);
  b?.setShare(undefined);
  expect(a?.callsPerSecond).toBeLessThan(c?.callsPerSecond ?? 0);
});

test('no pace for a CRM without a limit', () => {
  expect(pacesOf([crm('ghost', { kind: 'ghost', secrets: ['one'] })]).size).toBe(0);
});
