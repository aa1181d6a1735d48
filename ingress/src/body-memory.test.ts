import { Agent, request } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSigner } from '@email-events/esps/accounts';
import { expect, onTestFinished, test } from 'vitest';
import { startHarness } from './testing/harness.ts';

const CONNECTIONS = 24;
const BODY = Buffer.alloc(1_000_000, 'x');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('connections that idle hold no memory of the bodies that came on them', async () => {
  const signer = await createSigner('mailtrap');
  const ingress = await startHarness({ sources: { shop: { esp: 'mailtrap', ...signer.settings } } });
  onTestFinished(() => ingress.close());
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  onTestFinished(() => agent.destroy());
  const held = () => {
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const before = held();
  const statuses = await Promise.all(Array.from({ length: CONNECTIONS }, () => post(agent, ingress.port)));
  // Refused, and the connection is kept.
  expect(new Set(statuses)).toEqual(new Set([401]));
  expect(Object.values(agent.freeSockets).flat()).toHaveLength(CONNECTIONS);
  await expect.poll(() => held() - before, { timeout: 10_000 }).toBeLessThan(4 * BODY.length);
});

function post(agent: Agent, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': BODY.length,
      'mailtrap-signature': 'f'.repeat(64),
    };
    const path = '/webhooks/email-events/shop';
    const sent = request({ agent, host: '127.0.0.1', port, path, method: 'POST', headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject).end(BODY);
  });
}
