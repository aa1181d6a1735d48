import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test, vi } from 'vitest';
import { runBin, startBin } from '../testing.ts';

// Each starts two processes, which take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'run-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, 'pipeline.yaml');
writeFileSync(file, 'sources:\n  shop:\n    esp: mailgun\n    secrets: [env:RUN_TEST_ABSENT]\n');

test('a service needs the secrets of its own sections only', async () => {
  const check = (service: string) => runBin(['run', service, '--check-config', '--config', file]);
  expect(await check('sink-clickhouse')).toEqual({ code: 0, out: '', err: '' });
  const ingress = await check('ingress');
  expect([ingress.code, ingress.out]).toEqual([1, expect.stringContaining('sources.shop.secrets.0')]);
});

test.each([
  [['nothing'], 'Allowed choices are ingress'],
  [['events', '--port', '1'], 'for the receiver alone'],
  [['receiver', '--check-config'], 'the receiver has no configuration'],
])('run %j is wrong usage', async (args, message) => {
  const { code, err } = await runBin(['run', ...args]);
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
});

test('it runs until it is asked to end, and ends as the service does', async () => {
  const port = await freePort();
  const args = ['run', 'receiver', '--port', String(port), '--data-dir', join(folder, 'receiver')];
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const running = startBin(args, { env: { EMAIL_EVENTS_RECEIVER_SECRETS: secret } });
  let ended = false;
  void running.finished.then(() => {
    ended = true;
  });
  for (const deadline = Date.now() + 60_000; !(await answers(port)); await delay(50)) {
    if (ended || Date.now() > deadline)
      throw new Error(`it does not run: ${JSON.stringify(running.output())}`);
  }
  running.interrupt();
  expect((await running.finished).code).toBe(0);
  expect(await answers(port)).toBe(false);
});

const answers = (port: number) =>
  fetch(`http://127.0.0.1:${port}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
