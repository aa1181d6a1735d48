import type { PipelineConfig } from '@email-events/cli/services';
import type { StartService } from '@email-events/core';
import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pipeline } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

// Campaign, variant, stream and user from what the sender attaches, as the source says. Against the real components.
const file = fileScope();
const [normalize, events, sink] = SERVICES;
let world: Pipeline;
beforeAll(async () => {
  world = await startWorld(file.scope, {
    sources: {
      main: {
        ...{ esp: 'sendgrid', account: 'one' },
        fields: { campaign: ['metadata.mailing', 'tag.campaign'], user: 'metadata.customer' },
      },
      other: { esp: 'sendgrid', account: 'two' },
    },
  });
}, 180_000);
afterAll(() => file.end());

/** Before the operator configured where these fields are from. */
const formerNormalize: StartService<PipelineConfig> = (context) =>
  normalize({ ...context, config: { ...context.config, sources: {} } });

const rows = () =>
  world.clickhouse.query<{ readonly name: string }>(
    `SELECT splitByChar('@', recipient)[1] AS name, campaign, variant, stream, metadata['user'] AS user
     FROM email_events ORDER BY recipient`,
  );

const sent = { customer: 'c-1', campaign: 'named', variant: 'b' };
const told = sendgridItem('delivered', { email: 'ann@example.com', mailing: 'spring', ...sent });
const tagged = sendgridItem('delivered', {
  email: 'ben@example.com',
  category: ['vip', 'campaign:tagged'],
  ...sent,
});
const silent = sendgridItem('delivered', { email: 'cid@example.com' });

test('what came out before a mapping was configured is known by the same ids, and a dry run says what would differ', async () => {
  const before = await world.start(formerNormalize);
  await world.start(events);
  await world.start(sink);
  await world.produce(topics.raw, [rawMessage([told, tagged, silent])]);
  await waitFor('the first reading', async () => (await rows()).length === 3, 60_000);
  const named = { campaign: 'named', variant: 'b', stream: null, user: '' };
  expect(await rows()).toEqual([
    { name: 'ann', ...named },
    { name: 'ben', ...named },
    { name: 'cid', campaign: null, variant: null, stream: null, user: '' },
  ]);
  await before.stop();
  await waitFor(
    'the sink has caught up',
    async () => (await world.command('backfill', '--from', '1d', '--dry-run')).code === 0,
  );
  const { out } = await world.command('backfill', '--from', '1d', '--dry-run');
  expect(out).toMatchObject({ newEvents: {}, known: 3, different: 2 });
  expect(out.differences).toEqual({ 'sendgrid delivered: campaign': 2, 'sendgrid delivered: metadata': 2 });
}, 180_000);

test('the same events come again under the mapping: nothing counts twice, and what is new is as the source says', async () => {
  await world.start(normalize);
  const fresh = (name: string, item: object) =>
    sendgridItem('delivered', { ...item, email: `${name}@example.com`, ...ids() });
  const again = rawMessage([told, tagged, silent]);
  await world.produce(topics.raw, [again, rawMessage([fresh('dan', told), fresh('eve', tagged)])]);
  await world.produce(topics.raw, [rawMessage([fresh('zoe', told)], { source: 'other' })]);
  await waitFor('the later ones', async () => (await rows()).length >= 6, 60_000);
  const later = (await rows()).slice(3);
  expect(later).toEqual([
    { name: 'dan', campaign: 'spring', variant: 'b', stream: null, user: 'c-1' },
    { name: 'eve', campaign: 'tagged', variant: 'b', stream: null, user: 'c-1' },
    { name: 'zoe', campaign: 'named', variant: 'b', stream: null, user: '' },
  ]);
  expect((await world.command('dlq', 'list')).out.total).toBe(0);
}, 180_000);

let messages = 0;
/** Of another message. */
const ids = () => {
  messages++;
  return { sg_event_id: `ZmllbGRz${messages}`, sg_message_id: `fields${messages}.filter0001` };
};
