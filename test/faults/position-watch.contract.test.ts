import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { pipelineConfig } from '@email-events/cli/services';
import { expect, onTestFinished, test } from 'vitest';
import { PositionWatch } from './positions.ts';

test('a watch asks in another thread, takes no answer for no sample, and ends', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).end()).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  let asked = 0;
  server.on('connection', () => asked++);
  const { port } = server.address() as AddressInfo;
  const config = pipelineConfig.load(undefined);
  const kafka = { ...config.kafka, brokers: [`127.0.0.1:${port}`] };
  const watch = new PositionWatch({ ...config, kafka });
  watch.start();
  await expect.poll(() => asked, { timeout: 60_000 }).toBeGreaterThan(1);
  expect(watch.isOver).toBe(false);
  await watch.stop();
  expect(watch.isOver).toBe(true);
  expect(watch.samples).toEqual([]);
});
