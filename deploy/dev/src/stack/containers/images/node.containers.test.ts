import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { runImage } from '../../testing/run-image.ts';
import { connectEngine, type Engine } from '../engine.ts';
import { buildImage } from './build.ts';
import { provideImage } from './choose.ts';

// The properties that the stack relies on, of the public image or of its stand-in; and that images can be built on it.

let engine: Engine;
let image: string;

beforeAll(async () => {
  engine = await connectEngine();
  ({ reference: image } = await provideImage('node', { engine, env: process.env, onProgress: () => {} }));
});

async function said(...command: string[]): Promise<string> {
  const container = await runImage(engine, { image, command });
  expect(await container.ended()).toBe(0);
  return (await container.log()).trim();
}

test('node and npm are there, and a user for what needs no rights', async () => {
  expect(await said('node', '--version')).toMatch(/^v24\./);
  expect(await said('npm', '--version')).toMatch(/^\d+\./);
  expect(await said('id', 'node')).toMatch(/^uid=1000\(node\) gid=1000\(node\)/);
  expect(await said('sh', '-c', 'cd ~node && stat -c %U .')).toBe('node');
});

test('what is no program is for node', async () => {
  expect(await said('-p', '6 * 7')).toBe('42');
  expect(await said('echo', 'one')).toBe('one');
});

function files(dockerfile: string): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'build-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  writeFileSync(join(folder, 'greeting'), 'good morning\n', { mode: 0o600 });
  return { Dockerfile: join(folder, 'Dockerfile'), 'some/greeting': join(folder, 'greeting') };
}

test('an image is built of files from anywhere, for any user to read', async () => {
  const reference = 'email-events/build-test:files';
  onTestFinished(() => engine.docker.getImage(reference).remove());
  await buildImage(
    { engine },
    {
      reference,
      context: files('ARG BASE\nFROM $BASE\nCOPY some /some\nUSER 4321\n'),
      buildArgs: { BASE: image },
    },
  );
  const container = await runImage(engine, { image: reference, command: ['cat', '/some/greeting'] });
  expect(await container.ended()).toBe(0);
  expect(await container.log()).toBe('good morning\n');
});

test('a build that fails ends with what its command said', async () => {
  const context = files('ARG BASE\nFROM $BASE\nRUN echo "out of luck" >&2; exit 3\n');
  const request = { reference: 'email-events/build-test:fails', context, buildArgs: { BASE: image } };
  await expect(buildImage({ engine }, request)).rejects.toMatchObject({
    code: 'STACK_IMAGE_BUILD_FAILED',
    message: expect.stringMatching(/build-test:fails cannot be built:\n[\s\S]*out of luck\n[\s\S]*code: 3$/),
  });
});

test('a file that is not there ends the build with its name', async () => {
  const context = { ...files('FROM scratch\n'), missing: '/no/such/file' };
  const request = { reference: 'email-events/build-test:missing', context };
  await expect(buildImage({ engine }, request)).rejects.toMatchObject({
    code: 'STACK_IMAGE_BUILD_FAILED',
    message: expect.stringContaining('./missing'),
  });
});

test('a build is called off, and its container goes', async () => {
  const marker = `marker-${process.pid}`;
  const context = files(`ARG BASE\nFROM $BASE\nRUN : ${marker}; sleep 600\n`);
  const caller = new AbortController();
  const running = async () => {
    const containers = await engine.docker.listContainers();
    return containers.some(({ Command }) => Command.includes(marker));
  };
  const request = { reference: 'email-events/build-test:off', context, buildArgs: { BASE: image } };
  const build = buildImage({ engine, signal: caller.signal }, request);
  build.catch(() => {});
  await expect.poll(running, { timeout: 30_000 }).toBe(true);
  caller.abort();
  await expect(build).rejects.toMatchObject({ code: 'STACK_ABORTED' });
  await expect.poll(running, { timeout: 30_000 }).toBe(false);
});
