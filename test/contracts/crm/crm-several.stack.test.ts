import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { Codec, registerSchemas, topicCatalogue } from '@email-events/schemas';
import { type CrmHarness, type PlayedCrm, PlayedServer } from '@email-events/sink-crm/testing';
import { expect, test } from 'vitest';
import { type TestScope, vacantStack, waitFor } from '../../harness/stack.ts';
import { deadLetterCodes, produce, startSink, stateRecord } from './service.ts';

const CLI = new URL('../../../deploy/cli/src/main.ts', import.meta.url).pathname;
const HARNESS = new URL('../../../sinks/crm/src/adapters/http.harness.ts', import.meta.url).href;
const TIME_MS = 240_000;
const PEOPLE = 300;

const peopleOf = (name: string) => Array.from({ length: PEOPLE }, (_, i) => `${name}-${i}@example.com`);

/** A receiver of signed calls, and how it is configured. */
async function playedCrm(scope: TestScope) {
  const { harness } = (await import(HARNESS)) as { harness: CrmHarness };
  const played: PlayedCrm = harness.play();
  const server = await PlayedServer.start(played);
  scope.onTestFinished(() => server.close());
  const settings = { ...played.settings(server.base), timeoutMs: 2_000 };
  const holds = (people: readonly string[]) => people.every((who) => played.held(who)?.suppressed === true);
  const callsAbout = (recipient: string) =>
    server.calls.filter((call) => played.recipientOf(call) === recipient).length;
  return { played, server, settings, holds, callsAbout };
}

test('a CRM that is down, and one that refuses the credentials, hold back no other; each catches up; one that is added begins at the start', {
  timeout: TIME_MS,
}, async (scope) => {
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-several-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const [own, news, shop, late] = await Promise.all([1, 2, 3, 4].map(() => playedCrm(scope)));
  if (!own || !news || !shop || !late) throw new Error('no CRM');
  const file = join(dir, 'pipeline.yaml');
  const configure = async (others: object) => {
    const settings = {
      kafka: { ...stack.kafka, groupPrefix: prefix, sessionTimeoutMs: 6_000 },
      registry: stack.registry,
      topics: { partitions: 3 },
      sinks: { crm: { adminPort: 0, ...own.settings, others } },
    };
    await writeFile(file, JSON.stringify(settings));
    return pipelineConfig.parse(settings);
  };
  const prefix = stack.unique('several');
  const config = await configure({ news: news.settings, shop: shop.settings });
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);

  news.server.fault = 'cut';
  shop.server.fault = { status: 401 };
  const first = startSink(file, scope);
  const admin = await adminOf(first);
  const before = peopleOf('before');
  await produce(config, codec, before.map(stateRecord));
  await waitFor('the CRM that works to hold all', () => own.holds(before), 60_000);
  expect([...news.played.recipients(), ...shop.played.recipients()]).toEqual([]);
  await waitFor(
    'readiness to say which of them do not work',
    async () => {
      const { status, dependencies } = await ask(`${admin}/readyz`);
      const codes = Object.values(dependencies).map(String).join();
      const down = codes.includes('SINK_CRM_UNREACHABLE') || codes.includes('SINK_CRM_PAUSED');
      return (
        status === 'degraded' && dependencies.sink === 'ok' && down && codes.includes('SINK_CRM_UNAUTHORIZED')
      );
    },
    30_000,
  );
  const status = async () => JSON.parse((await cli('status', '--admin', admin, '--json')).stdout);
  await waitFor(
    'status to tell what each has still to get',
    async () => {
      const [{ lag }] = (await status()).services;
      return lag?.of?.news >= PEOPLE && lag.of.shop >= PEOPLE && lag.records === lag.of.news + lag.of.shop;
    },
    30_000,
  );

  // Both are put right: no record was given up meanwhile.
  news.server.fault = undefined;
  shop.server.fault = undefined;
  await waitFor('the others to catch up', () => news.holds(before) && shop.holds(before), 90_000);
  expect(await deadLetterCodes(config, codec)).toEqual([]);
  await stopOf(first);

  // What one of them refuses comes back to that one alone.
  await configure({ news: news.settings, shop: shop.settings, late: late.settings });
  const [refused = ''] = peopleOf('refused');
  late.server.faultsOf.set(refused, { status: 422 });
  const second = startSink(file, scope);
  await adminOf(second);
  await waitFor('the added one to hold what was there before it', () => late.holds(before), 60_000);
  await produce(config, codec, [stateRecord(refused)]);
  await waitFor('the dead letter', async () => (await deadLetterCodes(config, codec)).length === 1, 30_000);
  await waitFor('the others', () => [own, news, shop].every((crm) => crm.holds([refused])), 30_000);
  const calls = () => [own, news, shop].map((crm) => crm.callsAbout(refused));
  const asked = calls();
  late.server.faultsOf.clear();
  const { stdout } = await cli('dlq', 'replay', '--config', file, '--stage', 'sink-crm-late', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ letters: 1, problems: [] });
  await waitFor('the replay', () => late.holds([refused]), 60_000);
  // A later state proves that the others have passed the replay, not only not reached it yet.
  const proof = peopleOf('proof');
  await produce(config, codec, proof.map(stateRecord));
  await waitFor('the proof', () => [own, news, shop, late].every((crm) => crm.holds(proof)), 60_000);
  expect(calls()).toEqual(asked);
  await stopOf(second);
});

async function adminOf(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, 'message')) as [{ ports: { admin: number } }];
  return `http://127.0.0.1:${message.ports.admin}`;
}

async function stopOf(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
}

async function ask(url: string) {
  const response = await fetch(url);
  return (await response.json()) as { status: string; dependencies: { [name: string]: string } };
}

/** What it says, also when its exit code tells that something is not well. */
const cli = (...args: readonly string[]): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, [CLI, ...args], { env: { PATH: process.env.PATH } }).catch(
    (error: { stdout: string }) => error,
  );
