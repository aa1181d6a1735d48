import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pipeline } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

// A time costs no event, and no clock decides more than it may. Against the real components.
const DAY = 86_400_000;
const file = fileScope();
let world: Pipeline;
beforeAll(async () => {
  world = await startWorld(file.scope, { normalize: { maxFutureMinutes: 2, maxAgeDays: 30 } });
  for (const service of SERVICES) await world.start(service);
}, 180_000);
afterAll(() => file.end());

interface Row {
  readonly recipient: string;
  readonly type: string;
  readonly source: string;
  readonly said: string | null;
  /** Milliseconds from the receipt. */
  readonly distance: string;
}

const rows = () =>
  world.clickhouse.query<Row>(
    `SELECT recipient, type, occurred_at_source AS source, occurred_at_said AS said,
       toUnixTimestamp64Milli(occurred_at) - toUnixTimestamp64Milli(received_at) AS distance
     FROM email_events ORDER BY recipient`,
  );

const suppressed = () =>
  world.clickhouse.query('SELECT recipient, suppressed FROM suppressions_current ORDER BY recipient');

test('a complaint with a broken date suppresses, once; clocks are believed as far as is configured', async () => {
  const at = Math.floor(Date.now() / 1_000) * 1_000;
  const item = (name: string, event: string, timestamp: unknown) =>
    sendgridItem(event, { email: `${name}@example.com`, timestamp });
  const complaint = item('ann', 'spamreport', 'the day before');
  const items = [
    complaint,
    item('ben', 'open', at / 1_000 + 60),
    item('cid', 'open', at / 1_000 + 300),
    item('dan', 'open', Date.UTC(1999, 0, 1) / 1_000),
    item('eve', 'open', Date.UTC(2099, 0, 1) / 1_000),
  ];
  await world.produce(topics.raw, [
    rawMessage(items, { receivedAt: at }),
    rawMessage([complaint, item('zoe', 'open', undefined)], { receivedAt: at + 60_000 }),
  ]);
  await waitFor('the last of them', async () => (await rows()).length === 6, 60_000);
  const told = (await rows()).map(({ recipient, type, source, said, distance }) => [
    `${recipient.split('@')[0]} ${type}`,
    source,
    said,
    Number(distance),
  ]);
  expect(told).toEqual([
    ['ann complained', 'received', 'the day before', 0],
    ['ben opened', 'esp', null, 60_000],
    ['cid opened', 'bounded', new Date(at + 300_000).toISOString(), 0],
    ['dan opened', 'bounded', '1999-01-01T00:00:00.000Z', -30 * DAY],
    ['eve opened', 'bounded', '2099-01-01T00:00:00.000Z', 0],
    ['zoe opened', 'received', null, 0],
  ]);
  await waitFor('the suppression', async () => (await suppressed()).length > 0);
  expect(await suppressed()).toEqual([{ recipient: 'ann@example.com', suppressed: true }]);
  const months = await world.clickhouse.query<{ months: string }>(
    'SELECT uniqExact(toYYYYMM(occurred_at)) AS months FROM email_events',
  );
  expect(Number(months[0]?.months)).toBeLessThanOrEqual(3);
  expect((await world.command('dlq', 'list')).out.total).toBe(0);
});
