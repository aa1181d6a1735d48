import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { importDebian, readList, sourcesOf } from './debian.ts';

const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), 'debian-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
};

test("Debian's archives are taken from apt's own list, others are not", () => {
  const targets = [
    'Debian|bookworm|http://mirror.example.com/debian/|main',
    'Debian|bookworm|http://mirror.example.com/debian/|main',
    'Debian|bookworm|http://mirror.example.com/debian/|non-free',
    'Debian|bookworm-security|http://mirror.example.com/security/|main',
    'Some vendor|nodistro|http://packages.example.com/|main',
    '',
  ].join('\n');
  expect(sourcesOf(targets, 'bookworm')).toEqual([
    'deb http://mirror.example.com/debian/ bookworm main',
    'deb http://mirror.example.com/security/ bookworm-security main',
  ]);
});

test('a machine with another release gets packages from the same archives', () => {
  const targets = 'Debian|trixie-security|http://mirror.example.com/security/|main';
  expect(sourcesOf(targets, 'bookworm')).toEqual([
    'deb http://mirror.example.com/security/ bookworm-security main',
  ]);
});

test('lists may be commented', () => {
  const file = join(temporary(), 'list');
  writeFileSync(file, '# why\none\n\n  two  \n');
  expect(readList(file)).toEqual(['one', 'two']);
});

test('a machine without the tool, and without apt or the right to use it, is told what to install', async () => {
  vi.stubEnv('PATH', temporary());
  onTestFinished(() => void vi.unstubAllEnvs());
  const context = { engine: await fakeEngine(), env: {}, onProgress: () => {} };
  const request = { reference: 'email-events/base:1', release: 'bookworm', folder: temporary(), labels: {} };
  await expect(importDebian(context, request)).rejects.toMatchObject({
    code: 'STACK_TOOL_MISSING',
    message: expect.stringContaining('apt-get install mmdebstrap'),
  });
});

test("apt's settings and archives are all taken, and nothing of what it warns of", async () => {
  const folder = temporary();
  const script = (name: string, text: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const setting = 'Acquire::https::CAInfo "/etc/ca.pem";';
  script('apt-config', `echo 'W: a file is ignored' >&2\necho '${setting}'`);
  const security = 'Debian|bookworm-security|http://mirror.example.com/security/|main';
  const others = 'Some vendor|nodistro|http://packages.example.com/|main\n'.repeat(200);
  script('apt-get', `echo 'W: a file is ignored' >&2\ncat <<'END'\n${security}\n${others}END`);
  // Instead of making an archive it notes what it got.
  const noted = join(folder, 'noted');
  const note = `for option; do case $option in --aptopt=*) cat "\${option#--aptopt=}" ;; deb*) echo "$option" ;; esac; done`;
  script('mmdebstrap', `[ "$1" = --version ] && exit\n{ ${note}; } > '${noted}'\nexit 1`);
  vi.stubEnv('PATH', [folder, process.env.PATH].join(delimiter));
  onTestFinished(() => void vi.unstubAllEnvs());

  for (const list of ['packages', 'leave-out']) writeFileSync(join(folder, list), 'one\n');
  const request = { reference: 'email-events/base:1', release: 'bookworm', folder, labels: {} };
  const context = { engine: await fakeEngine(), env: {}, onProgress: () => {} };
  await expect(importDebian(context, request)).rejects.toMatchObject({ code: 'STACK_IMAGE_BUILD_FAILED' });
  expect(readFileSync(noted, 'utf8')).toBe(
    `${setting}\ndeb http://mirror.example.com/security/ bookworm-security main\n`,
  );
});
