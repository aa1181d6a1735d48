import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { tryLock } from '../../lock.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { provideServicesImage } from './services.ts';
import { SERVICES_DOCKERFILE, type ServicesTarget } from './services-files.ts';

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
