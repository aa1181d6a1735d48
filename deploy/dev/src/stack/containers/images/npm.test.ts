import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { reachNpm } from './npm.ts';

const MIRROR = 'https://mirror.example.com/npm/';

/** How npm is reached on a machine whose npm has these settings, and complains about one of them at each call. */
async function reach({ registry, hasAuthorities }: { registry: string; hasAuthorities: boolean }) {
  const folder = mkdtempSync(join(tmpdir(), 'reach-npm-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const authorities = join(folder, 'ca.pem');
  writeFileSync(authorities, '');
  const npm = `#!/bin/sh
echo 'npm warn Unknown project config "always-auth". This will stop working in the next major version of npm.' >&2
case "$1 $2 $3" in
  'config get registry') echo '${registry}' ;;
  'config get cafile') echo '${hasAuthorities ? authorities : 'null'}' ;;
  *) exit 1 ;;
esac
`;
  writeFileSync(join(folder, 'npm'), npm, { mode: 0o755 });
  vi.stubEnv('PATH', [folder, process.env.PATH].join(delimiter));
  onTestFinished(() => void vi.unstubAllEnvs());
  const reached = await reachNpm({ engine: await fakeEngine(), env: {}, onProgress: () => {} });
  return { reached, authorities };
}

test('the mirror and the authorities of this machine are used, whatever npm warns of', async () => {
  const { reached, authorities } = await reach({ registry: MIRROR, hasAuthorities: true });
  expect(reached).toEqual({ network: 'host', buildArgs: { NPM_REGISTRY: MIRROR }, authorities });
});

test('a mirror with credentials in its address is left out, as are authorities that npm has not', async () => {
  const registry = 'https://somebody:secret@mirror.example.com/npm/';
  const { reached } = await reach({ registry, hasAuthorities: false });
  expect(reached).toEqual({ network: 'host', buildArgs: {}, authorities: undefined });
});
