import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reconcile } from '@email-events/cli/crm/run';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics, groupLag, pseudonymsOf, sinkGroup } from '@email-events/core';
import { Codec, registerSchemas, topicCatalogue, topics } from '@email-events/schemas';
import type { SuppressedPage } from '@email-events/sink-crm';
import { type CrmHarness, PlayedServer } from '@email-events/sink-crm/testing';
import { expect, test, vi } from 'vitest';
import { vacantStack, waitFor } from '../../harness/stack.ts';
import { deadLetterCodes, produce, startSink, stateRecord } from './service.ts';

const HARNESS = new URL('../../../sinks/crm/src/adapters/http.harness.ts', import.meta.url).href;
const TIME_MS = 180_000;

test('what a CRM lost is put back for it alone; too much only when the number is said; what only it suppresses stays', {
  timeout: TIME_MS,
}, async (scope) => {
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-reconcile-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const { harness } = (await import(HARNESS)) as { harness: CrmHarness };
  const [own, news] = await Promise.all(
    [harness.play(), harness.play()].map(async (played) => {
      const server = await PlayedServer.start(played);
      scope.onTestFinished(() => server.close());
      const callsAbout = () => server.calls.map((call) => played.recipientOf(call)).filter((who) => who);
      return { played, server, settings: played.settings(server.base), callsAbout };
    }),
  );
  if (!own || !news) throw new Error('no CRM');
  const settings = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('reconcile'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 3 },
    erasure: { keys: ['the-key-of-this-test-0123456789-0123456789'] },
    sinks: { crm: { adminPort: 0, ...own.settings, others: { news: news.settings } } },
  };
  const config = pipelineConfig.parse(settings);
  const file = join(dir, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);
  const people = Array.from({ length: 150 }, (_, i) => `person-${i}@example.com`);
  const lifted = stateRecord('lifted@example.com');
  await produce(config, codec, [
    ...people.map(stateRecord),
    // Who was erased, under what stands for her: no CRM hears of it, and hers is no opt-out that only the CRM knows.
    stateRecord(pseudonymsOf(config)[0]?.('forgotten@example.com') ?? ''),
    lifted,
    { ...lifted, value: lifted.value && { ...lifted.value, suppressed: false, event_id: 'lift' } },
  ]);
  const sink = startSink(file, scope);
  const arrived = () =>
    [own, news].every(
      ({ played }) =>
        played.recipients().length === people.length + 1 &&
        played.held(lifted.key ?? '')?.suppressed === false,
    );
  await waitFor('all to arrive at both', arrived, 60_000);
  const groups = ['sink-crm', 'sink-crm-news'].map((consumer) => ({
    ...{ group: sinkGroup(config.kafka.groupPrefix, consumer), topics: [topics.suppressions] },
  }));
  const isThrough = async () => (await groupLag(config.kafka, groups)).every(({ lag }) => lag === 0);
  await waitFor('both to be through', isThrough, 30_000);

  /** The CRM of the harness lists nothing by itself: this is what it would, in the form that CRMs keep addresses. */
  const listing = (lost: readonly string[], unknown: readonly string[]) => ({
    async *suppressed(): AsyncIterable<SuppressedPage> {
      const left = people.filter((who) => !lost.includes(who)).map((who) => who.toUpperCase());
      const all = [
        'ABROAD@example.com',
        'Forgotten@Example.com',
        'lifted@example.com',
        'no address',
        ...left,
      ];
      yield { contacts: all.map((recipient) => ({ recipient })), next: undefined };
    },
    mailed: async (asked: readonly string[]) => asked.filter((who) => !unknown.includes(who)),
  });
  const said: string[] = [];
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  scope.onTestFinished(async () => out.mockRestore());
  interface Run {
    readonly dryRun?: boolean;
    readonly yesChange?: number;
    readonly unknown?: readonly string[];
  }
  const run = async (lost: readonly string[], { unknown = [], ...more }: Run = {}) => {
    said.length = 0;
    const progress = join(dir, 'listing.ndjson');
    const options = { dryRun: false, json: true, max: 20, fresh: true, progress, ...more };
    const crm = { consumer: 'sink-crm-news', account: 'news' };
    const exit = await reconcile(config, crm, listing(lost, unknown), options);
    return { exit, ...JSON.parse(said.join('')) };
  };

  const [lost = ''] = people;
  const before = { own: own.callsAbout().length, news: news.callsAbout().length };
  const counts = { listed: 153, erased: 1, suppressed: 150, optOuts: 1, lifted: 1, pending: 0 };
  const only = { optOuts: ['abroad@example.com'], lifted: ['lifted@example.com'] };
  expect(await run([lost], { dryRun: true })).toMatchObject({
    ...{ ...counts, exit: 0, missing: 1, putBack: 0, shown: { missing: [lost], ...only } },
  });
  // Whom the CRM does not know, and makes nothing of, is no loss: so a second run finds nothing to do.
  expect(await run([lost], { unknown: [lost] })).toMatchObject({
    exit: 0,
    missing: 0,
    unknown: 1,
    putBack: 0,
  });
  expect(await run(people)).toMatchObject({ exit: 1, missing: 150, putBack: 0, stopped: true });
  await expect(run(people, { yesChange: 149 })).rejects.toMatchObject({ code: 'CLI_CHANGE_DIFFERS' });
  expect(await run([lost])).toMatchObject({ ...counts, exit: 0, missing: 1, putBack: 1 });
  await waitFor('the lost one', () => news.callsAbout().length > before.news, 30_000);
  // Nothing else was sent until then, by any of the runs before.
  expect(news.callsAbout().slice(before.news)).toEqual([lost]);
  expect(await run(people, { yesChange: 150 })).toMatchObject({ exit: 0, missing: 150, putBack: 150 });
  await waitFor('all of them', () => new Set(news.callsAbout().slice(before.news + 1)).size === 150, 60_000);
  expect(own.callsAbout()).toHaveLength(before.own);

  // One that the CRM refuses becomes a dead letter, and is not put back over and over.
  news.server.faultsOf.set(lost, { status: 400 });
  expect(await run([lost])).toMatchObject({ exit: 0, missing: 1, putBack: 1, refused: 0 });
  const isRefused = async () => (await deadLetterCodes(config, codec)).includes('SINK_CRM_REJECTED');
  await waitFor('the dead letter', isRefused, 30_000);
  expect(await run([lost])).toMatchObject({
    ...{ exit: 0, missing: 0, putBack: 0, refused: 1, shown: { refused: [lost] } },
  });
  out.mockRestore();
  sink.kill('SIGTERM');
  expect(await once(sink, 'exit')).toEqual([0, null]);
});
