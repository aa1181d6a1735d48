import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyRepository, type RepositoryCopy } from '../../harness/repository-copy.ts';
import { blocksOf, environmentOfReader } from './blocks.ts';
import { Terminal } from './terminal.ts';

/** Blocks that need no components, as they are written, on the machine's own Node, in a copy of the repository. */
const SLOW = 120_000;
const RECEIVER = '8090';

const home = mkdtempSync(join(tmpdir(), 'docs-alone-'));
let copy: RepositoryCopy;
let port: string;
let terminal: Terminal;

beforeAll(async () => {
  copy = copyRepository();
  port = await freePort();
  terminal = new Terminal(copy.root, environmentOfReader(home), answers);
});
afterAll(async () => {
  try {
    await terminal.stop();
  } finally {
    copy.remove();
    rmSync(home, { recursive: true, force: true });
  }
}, SLOW);

const blocks = blocksOf('alone');

test('there are some', () => {
  expect(blocks.map(({ path }) => path)).toEqual(expect.arrayContaining(['README.md', 'deploy/README.md']));
});

test('the Node is the machine’s', { timeout: SLOW }, async () => {
  expect(await terminal.run('command -v node npx', SLOW)).not.toContain('node_modules');
});

test.for(blocks)('$path:$line', { timeout: SLOW }, async ({ body }) => {
  await terminal.run(body.replaceAll(RECEIVER, port), SLOW);
});

const answers = () =>
  fetch(`http://127.0.0.1:${port}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

function freePort(): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(String(typeof address === 'object' ? address?.port : address)));
    });
  });
}
