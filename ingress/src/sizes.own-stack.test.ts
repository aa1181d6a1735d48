import { createLogger, createMetrics } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { createSigner } from '@email-events/esps/accounts';
import { expect, test } from 'vitest';
import { startOwnKafka, waitFor } from '../../test/harness/stack.ts';
import { ingressService } from './descriptor.ts';
import { startIngress } from './index.ts';
import { makeOutputs, readRaw } from './testing/traffic.ts';

const { parse: parseConfig } = composeConfig([ingressService]);

const LARGEST = 4_194_304;
const log = createLogger('ingress-test', 'error');

test('the largest batch of an ESP is in Kafka with the settings that nobody changed, one byte more is refused', async (context) => {
  const { kafka } = await startOwnKafka(context);
  const signer = await createSigner('mandrill');
  const config = parseConfig({
    kafka: { brokers: kafka.brokers },
    ingress: { port: 0, adminPort: 0, spool: { enabled: false } },
    sources: { shop: { esp: 'mandrill', ...signer.settings } },
  });
  await makeOutputs(config);
  const service = await startIngress({ config, log, metrics: createMetrics('ingress') });
  context.onTestFinished(() => service.stop());
  const send = async (bytes: number) => {
    const empty = signer.sign({ body: '[""]', at: Date.now() }).body.length;
    const { headers, body } = signer.sign({ body: `["${'x'.repeat(bytes - empty)}"]`, at: Date.now() });
    expect(body.length).toBe(bytes);
    const response = await fetch(`http://127.0.0.1:${service.ports.http}/webhooks/email-events/shop`, {
      method: 'POST',
      headers: headers as { [name: string]: string },
      body: new Uint8Array(body),
    });
    return { status: response.status, body };
  };
  const largest = await send(LARGEST);
  expect(largest.status).toBe(200);
  expect((await send(LARGEST + 1)).status).toBe(413);
  const found = await readRaw(config.kafka, (bodies) => waitFor('the request', () => bodies.size > 0));
  expect([...found.values()]).toEqual([largest.body.toString()]);
});
