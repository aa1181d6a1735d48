import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pipeline } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

const file = fileScope();
let world: Pipeline;
beforeAll(async () => {
  world = await startWorld(file.scope);
}, 120_000);
afterAll(() => file.end());

test('a request of nearly 4 MiB, four times what is fetched of a partition at a time, comes out whole, and so does what is behind it', async () => {
  const items = Array.from({ length: 3_000 }, () => sendgridItem('open', { useragent: 'x'.repeat(1_100) }));
  const large = rawMessage(items);
  expect(large.value?.length).toBeGreaterThan(3_800_000);
  expect(large.value?.length).toBeLessThan(4_194_304);
  await world.produce(topics.raw, [large]);
  await world.produce(topics.raw, [rawMessage([sendgridItem('open', { email: 'behind@example.com' })])]);
  for (const service of SERVICES) await world.start(service);
  await waitFor('all rows', async () => (await rows()) === 3_001, 90_000);
  const [letters] = await world.clickhouse.query<{ n: string }>('SELECT count() AS n FROM dead_letters');
  expect(Number(letters?.n)).toBe(0);
}, 120_000);

async function rows(): Promise<number> {
  const [row] = await world.clickhouse.query<{ n: string }>('SELECT count() AS n FROM email_events');
  return Number(row?.n);
}
