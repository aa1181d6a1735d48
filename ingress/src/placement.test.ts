import { createSigner } from '@email-events/esps/accounts';
import { partitionOf } from '@email-events/schemas';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Placement } from './placement.ts';
import { rawOf, startHarness } from './testing/harness.ts';

const FLOOD = 800_000;

test('a source that floods goes to other partitions of email.raw than one that sends little', async () => {
  const signer = await createSigner('standard-webhooks');
  const source = (account: string) => ({ esp: 'standard-webhooks', ...signer.settings, account });
  const ingress = await startHarness({ sources: { flood: source('flood'), shop: source('shop') } });
  onTestFinished(() => ingress.close());
  const send = async (name: string, bytes: number) => {
    const { headers, body } = signer.sign({ body: JSON.stringify(['x'.repeat(bytes)]), at: Date.now() });
    const url = `http://127.0.0.1:${ingress.port}/webhooks/email-events/${name}`;
    const { status } = await fetch(url, { method: 'POST', headers, body });
    expect(status).toBe(200);
    const record = ingress.published.at(-1);
    expect(rawOf(record).source).toBe(name);
    return record?.partition;
  };
  // Who is who is settled a few times a second.
  await vi.waitFor(
    async () => {
      const places = [await send('flood', FLOOD), await send('shop', 100)];
      expect(places).toEqual([expect.toSatisfy((partition) => partition > 0), 0]);
    },
    { timeout: 15_000, interval: 20 },
  );
});

test('a request whose token may not come twice lies with its token, whatever its source sends', () => {
  const placement = new Placement(6);
  for (let requests = 0; requests < 10; requests++) placement.of('flood', FLOOD, null);
  expect(placement.of('flood', FLOOD, 'digest')).toEqual({ partition: partitionOf('digest', 6) });
  expect(placement.of('shop', 1, 'digest')).toEqual({ partition: partitionOf('digest', 6) });
});
