import { join } from 'node:path';
import { startEvents, startNormalize } from '@email-events/processors';
import { startCrmSink } from '@email-events/sink-crm';
import { type CrmHarness, type PlayedCrm, PlayedServer } from '@email-events/sink-crm/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline } from '../../harness/pipeline.ts';
import { fileScope, vacantStack, waitFor } from '../../harness/stack.ts';

/**
 * `crm reconcile` over the whole pipeline: who opted out in one CRM is suppressed here and in the others; what the pipeline wrote itself does
 * not come back; a run that is killed is gone on with.
 */
const TIME_MS = 300_000;
const SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;
const WHY = ['--why', 'a test', '--by', 'maria'];

const file = fileScope();
let world: Pipeline;
let ingress: string;
let klaviyo: Played;
let listmonk: Played;

interface Played {
  readonly crm: PlayedCrm;
  readonly server: PlayedServer;
}

async function play(kind: string): Promise<Played> {
  const { href } = new URL(`../../../sinks/crm/src/adapters/${kind}.harness.ts`, import.meta.url);
  const { harness } = (await import(href)) as { harness: CrmHarness };
  const crm = harness.play();
  const server = await PlayedServer.start(crm);
  file.scope.onTestFinished(() => server.close());
  return { crm, server };
}

beforeAll(async () => {
  [klaviyo, listmonk] = await Promise.all([play('klaviyo'), play('listmonk')]);
  const settingsOf = (kind: string, { crm, server }: Played) => ({
    kind,
    ...crm.settings(server.base),
    options: {},
  });
  world = await startPipeline(file.scope, await vacantStack(file.scope), {
    name: 'opt-outs',
    settings: {
      topics: { partitions: 2, rawPartitions: 2 },
      sources: { 'opt-outs': { esp: 'standard-webhooks', secrets: [SECRET] } },
      sinks: {
        crm: {
          adminPort: 0,
          ...settingsOf('klaviyo', klaviyo),
          others: { news: settingsOf('listmonk', listmonk) },
        },
      },
    },
  });
  for (const service of [startNormalize, startEvents, startCrmSink]) await world.start(service);
  const { http } = await world.launch('ingress').ready;
  ingress = `http://127.0.0.1:${http}`;
}, 120_000);
afterAll(() => file.end());

const listing = () => join(world.folder, 'listing.ndjson');
const reconcile = (...args: string[]) => world.command('crm', 'reconcile', '--progress', listing(), ...args);
const upstream = () => ['--upstream', 'opt-outs', '--ingress', ingress];
const isOff = ({ crm }: Played, who: string) => crm.held(who)?.suppressed === true;

test('who opted out in one CRM is suppressed everywhere, and what we wrote ourselves never comes back', {
  timeout: TIME_MS,
}, async () => {
  // Of ours: suppressed, then lifted here. Klaviyo keeps what it was told.
  await world.command('suppressions', 'add', 'ours@example.com', ...WHY);
  await waitFor('ours to be there', () => isOff(klaviyo, 'ours@example.com'), 60_000);
  await world.command('suppressions', 'lift', 'ours@example.com', ...WHY);
  const strangers = ['Ada@Example.com', 'bob@example.com'];
  for (const who of strangers) klaviyo.crm.optOut?.(who);

  const shown = await reconcile('--dry-run', ...upstream());
  expect(shown.out).toMatchObject({
    ...{ dryRun: true, optOuts: 2, lifted: 1, missing: 0, broughtBack: 0 },
    shown: { optOuts: ['ada@example.com', 'bob@example.com'], lifted: ['ours@example.com'] },
  });
  expect(shown.code).toBe(0);
  const stopped = await reconcile(...upstream(), '--fresh');
  expect([stopped.code, stopped.out]).toMatchObject([1, { stopped: true, changes: 2, broughtBack: 0 }]);
  const refused = await reconcile(...upstream(), '--fresh', '--yes-change', '3');
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('CLI_CHANGE_DIFFERS')]);

  const done = await reconcile(...upstream(), '--fresh', '--yes-change', '2');
  expect([done.code, done.out]).toMatchObject([0, { optOuts: 2, broughtBack: 2, stopped: false }]);
  await waitFor(
    'the other CRM to be told',
    () => ['ada@example.com', 'bob@example.com'].every((who) => isOff(listmonk, who)),
    60_000,
  );
  const { out: ada } = await world.command('suppressions', 'get', 'ada@example.com');
  expect(ada).toMatchObject({
    suppressed: true,
    reasons: [{ reason: 'unsubscribe', scope: 'all', source: 'opt-outs' }],
  });
  const { out: ours } = await world.command('suppressions', 'get', 'ours@example.com');
  expect(ours.suppressed).toBe(false);

  // What a CRM would be told, it is not told; what it has already, it need not be.
  const plan = (...args: string[]) => world.command('crm', 'plan', ...args);
  expect((await plan('ada@example.com', 'nobody@example.com')).out.recipients).toEqual([
    { recipient: 'ada@example.com', known: true, calls: [] },
    { recipient: 'nobody@example.com', known: false, calls: [] },
  ]);
  const checked = await world.command('crm', 'check');
  expect([checked.code, checked.out.crms]).toMatchObject([
    ...[
      0,
      [
        { consumer: 'sink-crm', kind: 'klaviyo', code: null },
        { consumer: 'sink-crm-news', code: null },
      ],
    ],
  ]);
  listmonk.server.fault = { status: 401 };
  const wrong = await world.command('crm', 'check', '--crm', 'news');
  listmonk.server.fault = undefined;
  expect([wrong.code, wrong.out.crms]).toMatchObject([1, [{ code: 'SINK_CRM_UNAUTHORIZED' }]]);

  // All agree now.
  await waitFor(
    'nothing to be left',
    async () => {
      const { out } = await reconcile(...upstream(), '--fresh');
      return out.optOuts === 0 && out.missing === 0 && out.pending === 0 && out.lifted === 1;
    },
    60_000,
  );
});

test('a run that is killed while it lists is gone on with, page by page', { timeout: TIME_MS }, async () => {
  for (let n = 0; n < 450; n++) klaviyo.crm.optOut?.(`many-${n}@example.com`);
  const pages = () =>
    klaviyo.server.calls.filter(({ url }) => url.searchParams.get('filter')?.startsWith('greater-than'));
  const before = pages().length;
  // From its third page on, the CRM takes no calls.
  klaviyo.server.faultOfNext = () =>
    pages().length - before > 2 ? { status: 429, headers: { 'retry-after': '600' } } : undefined;
  const command = ['crm', 'reconcile', '--progress', listing(), '--calls-per-second', '50', '--fresh'];
  const first = world.startCommand(...command);
  await waitFor('the limit', () => pages().length - before > 2, 60_000);
  first.kill();
  await first.finished;
  klaviyo.server.faultOfNext = undefined;
  const between = pages().length;
  const again = await reconcile(...upstream(), '--calls-per-second', '50', '--dry-run');
  expect([again.code, again.out]).toMatchObject([0, { optOuts: 450 }]);
  const [goesOn, ...others] = pages().slice(between);
  expect(goesOn?.url.searchParams.get('page[cursor]')).toBe('200');
  expect(others).toHaveLength(2);
});
