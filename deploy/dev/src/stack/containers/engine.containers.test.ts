import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

/** In a separate process, since testcontainers looks for the engine only once. */
function connect(env: Record<string, string>): { code: string; message: string } | { socket: string } {
  const script = `
    import { connectEngine } from ${JSON.stringify(new URL('./engine.ts', import.meta.url))};
    let answer;
    try {
      answer = { socket: (await connectEngine()).docker.modem.socketPath };
    } catch ({ code, message }) {
      answer = { code, message };
    }
    process.stdout.write(JSON.stringify(answer));
    process.exit(0);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

test('an engine that DOCKER_HOST names and that does not answer is not replaced by another one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const address = `unix://${folder}/docker.sock`;
  for (const DOCKER_HOST of [address, 'tcp://127.0.0.1:1']) {
    expect(connect({ DOCKER_HOST })).toMatchObject({
      code: 'STACK_ENGINE_UNAVAILABLE',
      message: expect.stringMatching(`DOCKER_HOST=${DOCKER_HOST}.*STACK=local`),
    });
  }
});

test('an engine that DOCKER_HOST names is used', () => {
  const found = connect({});
  if (!('socket' in found)) throw new Error(found.message);
  expect(connect({ DOCKER_HOST: `unix://${found.socket}` })).toEqual(found);
});
