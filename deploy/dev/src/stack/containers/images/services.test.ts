import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { tryLock } from '../../data-dir.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import {
  copiedNames,
  ignorePatterns,
  provideServicesImage,
  SERVICES_DOCKERFILE,
  type ServicesTarget,
  servicesFiles,
} from './services.ts';

const BASE = 'node:24';

/** An engine with the base, a checkout with one source, and an npm that has nothing to say. */
async function prepare() {
  const folder = mkdtempSync(join(tmpdir(), 'services-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const root = join(folder, 'checkout');
  const write = (name: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text, { mode });
  };
  const edit = (text: string) => write('checkout/main.ts', text);
  write(
    `checkout/${SERVICES_DOCKERFILE}`,
    'FROM base AS services\nCOPY main.ts ./\nFROM services AS receiver\nCOPY receiver.ts ./\n',
  );
  write('checkout/.dockerignore', '');
  edit('first');
  write('bin/npm', '#!/bin/sh\nexit 1\n', 0o755);
  vi.stubEnv('PATH', [join(folder, 'bin'), process.env.PATH].join(delimiter));
  onTestFinished(() => void vi.unstubAllEnvs());

  const engine = await fakeEngine([BASE]);
  const toolsDir = join(folder, 'tools');
  mkdirSync(toolsDir);
  const env = { EMAIL_EVENTS_IMAGE_NODE: BASE };
  write('checkout/receiver.ts', 'first');
  const provide = (target: ServicesTarget = 'services') =>
    provideServicesImage({ engine, env, toolsDir, onProgress: () => {} }, target, root);
  const editReceiver = () => write('checkout/receiver.ts', 'second');
  return { engine, root, toolsDir, edit, editReceiver, provide };
}

test('sources that have not changed are built once, others under another name', async () => {
  const { engine, edit, provide } = await prepare();
  const first = await provide();
  expect(await provide()).toBe(first);
  edit('second');
  expect(await provide()).not.toBe(first);
  expect(engine.builds).toHaveLength(2);
});

test('the image with the receiver has a name and sources of its own', async () => {
  const { engine, editReceiver, provide } = await prepare();
  const [services, receiver] = [await provide(), await provide('receiver')];
  expect([services, receiver]).toEqual([
    expect.stringMatching(/^email-events\/services:/),
    expect.stringMatching(/^email-events\/receiver:/),
  ]);
  editReceiver();
  expect(await provide()).toBe(services);
  expect(await provide('receiver')).not.toBe(receiver);
  expect(engine.builds).toHaveLength(3);
});

test.each<[string, (root: string) => void]>([
  ['edited', (root) => writeFileSync(join(root, 'main.ts'), 'second')],
  ['removed', (root) => rmSync(join(root, 'main.ts'))],
])('no image keeps the name of sources that were %s while it was built', async (_, change) => {
  const { engine, root, edit, provide } = await prepare();
  engine.meanwhile.builds = () => change(root);
  await expect(provide()).rejects.toMatchObject({
    code: 'STACK_IMAGE_BUILD_FAILED',
    message: expect.stringContaining('the sources changed'),
  });
  expect([...engine.images]).toEqual([BASE]);

  delete engine.meanwhile.builds;
  edit('second');
  expect(await provide()).not.toBe(engine.builds[0]);
});

test('who waits for another build builds the sources of when its turn comes', async () => {
  const { engine, toolsDir, edit, provide } = await prepare();
  const other = tryLock(join(toolsDir, 'image-services.lock'))!;
  const wanted = new Promise<string>((resolve) => {
    engine.meanwhile.inspects = (reference) => void (reference !== BASE && resolve(reference));
  });
  const provided = provide();
  const before = await wanted;
  edit('second');
  other.release();
  const image = await provided;
  expect(image).not.toBe(before);
  expect(engine.builds).toEqual([image]);
});

const root = mkdtempSync(join(tmpdir(), 'services-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, text = ''): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), text);
}

test('what is copied, without other stages and options', () => {
  const text =
    'FROM a\nCOPY one two \\\n  three/\nCOPY --from=a /x y\nCOPY --chown=1 four .\nCOPY ca.pem* /c/\n# COPY no .';
  expect(copiedNames(text)).toEqual(['one', 'two', 'four']);
});

test('folders with all that is in them, but for what is ignored', () => {
  write(
    SERVICES_DOCKERFILE,
    'FROM a AS services\nCOPY package.json ./\nCOPY core/src core/src\nFROM services AS receiver\nCOPY core/secret.txt ./\n',
  );
  write('.dockerignore', '# a comment\n\n**/*.test.ts\n**/*.md\ncore/src/**/testing\n');
  write('package.json');
  for (const name of ['a.ts', 'a.test.ts', 'README.md', 'deep/b.ts', 'deep/testing/c.ts', 'testing/d.ts'])
    write(`core/src/${name}`);
  write('core/secret.txt');
  const files = ['core/src/a.ts', 'core/src/deep/b.ts', SERVICES_DOCKERFILE, 'package.json'];
  expect(servicesFiles(root, 'services')).toEqual(files);
  expect(servicesFiles(root, 'receiver')).toEqual(['core/secret.txt', ...files]);
});

test('a target that is not there is not taken for all', () => {
  write(SERVICES_DOCKERFILE, 'FROM a AS other\nCOPY package.json ./\n');
  expect(() => servicesFiles(root, 'services')).toThrow('no target services');
});

test('an exception, which is not understood, is not overlooked', () => {
  expect(() => ignorePatterns('**\n!core')).toThrow('!core');
});

const CHECKOUT = fileURLToPath(new URL('../../../../../../', import.meta.url));

test('the image has the services, and no test, fixture or dependency of this checkout', () => {
  const names = servicesFiles(CHECKOUT, 'services');
  expect(names).toContain('ingress/src/main.ts');
  expect(names).toContain('sinks/clickhouse/migrations/0001_email_events.sql');
  expect(names).toContain('deploy/images/email-events/email-events');
  const unwanted = /\.test\.ts$|\.fixture\.ts$|node_modules|^test\/.*\/|\.pem$|\.md$|\.email-events|\.git\//;
  expect(names.filter((name) => unwanted.test(name))).toEqual([]);
});

test('nothing of contributors is in the image but their manifest, which npm wants; the receiver is in its own', () => {
  const ofDev = (target: ServicesTarget) =>
    servicesFiles(CHECKOUT, target).filter((name) => name.startsWith('deploy/dev/'));
  expect(ofDev('services')).toEqual(['deploy/dev/package.json']);
  const [manifest, ...others] = ofDev('receiver');
  expect([manifest, others.every((name) => name.startsWith('deploy/dev/src/receiver/'))]).toEqual([
    'deploy/dev/package.json',
    true,
  ]);
  expect(others).toContain('deploy/dev/src/receiver/main.ts');
});
