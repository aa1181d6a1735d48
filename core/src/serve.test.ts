import { createServer } from 'node:net';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { serveConsumer } from './serve.ts';
import { createLogger } from './telemetry.ts';

const log = createLogger('test', 'silent');

/** A consumer that notes in `events` that it was stopped. */
function consumer(events: string[]) {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  return {
    done,
    stop: async () => {
      events.push('consumer');
      resolve();
    },
  };
}

const context = () => ({ config: { adminHost: '127.0.0.1' }, log, metrics: new Registry() });

test('is not ready from the moment it stops, stops in order, and once', async () => {
  const events: string[] = [];
  let port = 0;
  const first = {
    name: 'first',
    deadlineMs: 5_000,
    run: async () => {
      events.push(`first, ${(await fetch(`http://127.0.0.1:${port}/readyz`)).status}`);
    },
  };
  const service = await serveConsumer(consumer(events), context(), {
    ...{ adminPort: 0, readiness: { kafka: () => undefined }, first: [first] },
  });
  port = service.ports.admin ?? 0;
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  await Promise.all([service.stop(), service.stop()]);
  await service.done;
  expect(events).toEqual(['first, 503', 'consumer']);
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
});

test('stops the consumer if its port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const events: string[] = [];
  const serving = serveConsumer(consumer(events), context(), { adminPort: port, readiness: {} });
  await expect(serving).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(events).toEqual(['consumer']);
});
