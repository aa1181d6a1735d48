import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { registerSchemas, topicCatalogue } from '@email-events/schemas';
import { expect, type TestContext, test } from 'vitest';
import { eventOf, produceTypedEvents } from '../bench/typed-events.ts';
import { copyRepository } from '../harness/repository-copy.ts';
import { vacantStack, waitFor } from '../harness/stack.ts';

/** A sink that `new:sink` has just made, on real components: its promise holds although it is killed again and again. */
const ROUNDS = 2;
const PER_ROUND = 1_500;
const PROOF = 100;

test('exactly once: killed by itself and in pairs, it leaves every event in one file', async (scope) => {
  const { ids, start, produce } = await makeWorld(scope, '');
  await killedInEachRound({ ids, start, produce });
  expect(ids()).toEqual(expectedIds());
}, 300_000);

test('at least once: killed by itself and in pairs, it leaves every event in some file', async (scope) => {
  const { ids, start, produce } = await makeWorld(scope, '-- --at-least-once');
  await killedInEachRound({ ids, start, produce });
  expect([...new Set(ids())]).toEqual(expectedIds());
}, 300_000);

interface World {
  /** Ids of the events in all files, sorted. */
  ids(): string[];
  start(): Promise<ChildProcess>;
  produce(count: number, seed: number): Promise<void>;
}

async function killedInEachRound({ ids, start, produce }: World): Promise<void> {
  let produced = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const sinks = [await start(), ...(round % 2 === 1 ? [await start()] : [])];
    const before = ids().length;
    const producing = produce(PER_ROUND, produced);
    produced += PER_ROUND;
    await waitFor('some events of the round', async () => ids().length > before, 60_000);
    for (const sink of sinks) {
      sink.kill('SIGKILL');
      await once(sink, 'exit');
    }
    await producing;
  }
  await start();
  await waitFor('all events', async () => new Set(ids()).size >= produced, 90_000);
  // Later events prove that no earlier one is still on its way.
  await produce(PROOF, produced);
  await waitFor('the proof', async () => new Set(ids()).size >= produced + PROOF, 60_000);
}

const expectedIds = () =>
  Array.from({ length: ROUNDS * PER_ROUND + PROOF }, (_, n) => eventOf(n).event_id).sort();

async function makeWorld(scope: TestContext, options: string): Promise<World> {
  const stack = await vacantStack(scope);
  const copy = copyRepository();
  scope.onTestFinished(() => copy.remove());
  await copy.shell(`npm run new:sink acmelake ${options}`);
  const folder = copy.folder('files');
  const common = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('new-sink'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 3 },
  };
  const config = pipelineConfig.parse(common);
  const file = join(copy.root, 'pipeline.yaml');
  const acmelake = { adminPort: 0, folder, batchRows: 100, flushMs: 50 };
  writeFileSync(file, JSON.stringify({ ...common, log: { level: 'error' }, sinks: { acmelake } }));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  return {
    ids: () => idsIn(folder),
    start: () => startSink(join(copy.root, 'sinks/acmelake/src/main.ts'), file, scope),
    produce: (count, seed) => produceTypedEvents(config, count, seed),
  };
}

function startSink(main: string, configFile: string, scope: TestContext): Promise<ChildProcess> {
  const child = fork(main, ['--config', configFile], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  scope.onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the sink ended with ${code}`)));
    child.once('message', () => resolve(child));
  });
}

/** As a reader takes them: whole lines of files that are whole. */
function idsIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const texts = files
    .filter((file) => file.endsWith('.ndjson'))
    .map((file) => readFileSync(join(folder, file), 'utf8'));
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return lines.map((line) => (JSON.parse(line) as { event_id: string }).event_id).sort();
}
