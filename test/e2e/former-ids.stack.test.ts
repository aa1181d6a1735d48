import { IDENTITY_VERSION } from '@email-events/esps';
import { normalizeRecord } from '@email-events/processors';
import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pipeline } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

// An event that was received before an upgrade that changed what identifies it, and comes again behind it. Against the real components.
const file = fileScope();
const [normalize, events, sink] = SERVICES;
let world: Pipeline;
beforeAll(async () => {
  world = await startWorld(file.scope, { sources: { main: { esp: 'sendgrid' } } });
}, 180_000);
afterAll(() => file.end());

const EARLIER = { identityVersion: IDENTITY_VERSION - 1 };
const TODAY = { identityVersion: IDENTITY_VERSION };

const people = async () => {
  const rows = await world.clickhouse.query<{ readonly name: string }>(
    `SELECT splitByChar('@', recipient)[1] AS name FROM email_events ORDER BY name`,
  );
  return rows.map(({ name }) => name);
};
const delivered = (name: string) =>
  sendgridItem('delivered', {
    email: `${name}@example.com`,
    ...{ sg_event_id: `event-${name}`, sg_message_id: `${name}.filter0001` },
  });

const idsOf = async (name: string) => {
  const rows = await world.clickhouse.query<{ readonly id: string }>(
    `SELECT event_id AS id FROM email_events WHERE recipient = '${name}@example.com'`,
  );
  return rows.map(({ id }) => id);
};

/** Of the same event in a request of that version, read by itself. */
async function idToday(version: { readonly identityVersion: number }): Promise<string | undefined> {
  const { value, headers = {} } = rawMessage([delivered('ann')], version);
  const record = { topic: topics.raw, partition: 0, offset: 0, key: null, value, headers, timestamp: 0 };
  return (await normalizeRecord(record)).events[0]?.event_id;
}

test('it counts once, whether it comes while its earlier version does or to a service that was started later', async () => {
  await world.start(events);
  await world.start(sink);
  await world.produce(topics.raw, [rawMessage([delivered('ann')], EARLIER)]);
  const first = await world.start(normalize);
  await waitFor('what was received before', async () => (await people()).length === 1, 60_000);
  // As the earlier version named it, or the pipeline would not know it again.
  expect(await idsOf('ann')).toEqual([await idToday(EARLIER)]);
  expect(await idToday(EARLIER)).not.toBe(await idToday(TODAY));
  await world.produce(topics.raw, [rawMessage([delivered('ann'), delivered('ben')], TODAY)]);
  await waitFor('what came with its repetition', async () => (await people()).includes('ben'), 60_000);
  await first.stop();

  await world.start(normalize);
  await world.produce(topics.raw, [rawMessage([delivered('ann'), delivered('cid')], TODAY)]);
  await waitFor('what came later', async () => (await people()).includes('cid'), 60_000);
  expect(await people()).toEqual(['ann', 'ben', 'cid']);
}, 180_000);
