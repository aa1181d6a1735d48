import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import {
  Codec,
  recipientKey,
  registerSchemas,
  type Suppression,
  topicCatalogue,
} from '@email-events/schemas';
import { expect, test } from 'vitest';
import { deadLetterCodes, produce, startSink } from '../contracts/crm/service.ts';
import { seeded } from '../contracts/crm/topic.ts';
import { vacantStack, waitFor } from '../harness/stack.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { startGhost } from './servers/ghost.ts';
import type { GhostMember } from './servers/ghost-members.ts';
import { asIntegration } from './servers/ghost-site.ts';
import { addressOf, newcomers, newestStates, stateLog } from './states.ts';

// The first time it installs Ghost.
const TIME_MS = 900_000;
const RECIPIENTS = 40;
const STATES = 150;
const PATIENCE_MS = 120_000;

/** Members that were there before, on all newsletters: of a recipient each, written otherwise. */
const BEFORE = Array.from({ length: 16 }, (_, i) => ({
  ...{ email: addressOf(i).replace('person', 'Person'), name: `Name ${i}` },
}));

test('whatever happens to sink and Ghost, every member comes to its newest state, and nobody is ever subscribed', {
  timeout: TIME_MS,
}, async (scope) => {
  const ghost = await startGhost();
  scope.onTestFinished(() => ghost.stop());
  const { database, component } = ghost;
  for (const member of BEFORE) await asIntegration(ghost, 'POST', 'members/', { members: [member] });
  database.watch();
  const proxy = await startTcpProxy(ghost.url);
  scope.onTestFinished(() => proxy.stop());
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-ghost-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const [newsletter] = ghost.newsletters;
  const settings = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('ghost'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 3 },
    sinks: {
      crm: {
        ...{ adminPort: 0, kind: 'ghost', url: proxy.url, secrets: [ghost.key] },
        options: { streams: { newsletter } },
      },
    },
  };
  const config = pipelineConfig.parse(settings);
  const file = join(dir, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);

  const log = [...stateLog(seeded(29), { recipients: RECIPIENTS, states: STATES, stale: 0.15 })];
  const third = (index: number) => log.slice((index * STATES) / 3, ((index + 1) * STATES) / 3);
  const thirds = [0, 1, 2].map(third);
  const record = (states: typeof log) => produce(config, codec, states);
  /** While writes are under way: there is always something to write, for people who were never seen. */
  const amid = async (act: () => unknown) => {
    const people = newcomers(log.length, 4);
    log.push(...people);
    const { length } = database.members();
    await record(people);
    await waitFor('a write', async () => database.members().length > length, PATIENCE_MS);
    await act();
  };
  const killedAndStarted = async () => {
    await component.kill();
    await component.start();
  };

  const first = startSink(file, scope);
  await record(thirds[0] ?? []);
  await amid(() => killed(first));
  // Two of them, whose answers get lost, over a Ghost that is killed.
  const [second, last] = [startSink(file, scope), startSink(file, scope)];
  await record(thirds[1] ?? []);
  for (let times = 0; times < 5; times += 1) await amid(() => proxy.cut());
  await amid(killedAndStarted);
  await amid(() => killed(second));
  await record(thirds[2] ?? []);
  await amid(killedAndStarted);

  const expected = newestStates(log);
  await waitFor(
    'all recipients at their newest state',
    async () => behind(database.members(), expected, newsletter).length === 0,
    PATIENCE_MS,
  );
  last.kill('SIGTERM');
  expect(await once(last, 'exit')).toEqual([0, null]);

  const members = database.members();
  const people = members.map(({ email }) => recipientKey(email));
  expect(people).toEqual([...new Set(people)]);
  for (const { email, name } of BEFORE)
    expect(members.find((member) => member.email === email)).toMatchObject({ name });
  // Some of those who were there stay on a newsletter: that all are off would prove nothing.
  expect(members.some(({ newsletters }) => newsletters.length > 0)).toBe(true);
  expect(database.subscriptions()).toEqual([]);
  expect(await deadLetterCodes(config, codec)).toEqual([]);
  await scope.annotate(`${log.length} states, ${members.length} members`);
});

/** Recipients who still have a newsletter that their newest state takes, or are no member although they are suppressed. */
function behind(
  members: readonly GhostMember[],
  expected: ReadonlyMap<string, Suppression>,
  newsletter: string,
): string[] {
  const held = new Map(members.map((member) => [recipientKey(member.email), member.newsletters]));
  return [...expected.values()].flatMap(({ recipient, suppressed, reasons }) => {
    const on = held.get(recipient);
    if (!on) return suppressed ? [recipient] : [];
    if (suppressed) return on.length > 0 ? [recipient] : [];
    return reasons.length > 0 && on.includes(newsletter) ? [recipient] : [];
  });
}

async function killed(sink: ChildProcess): Promise<void> {
  sink.kill('SIGKILL');
  await once(sink, 'exit');
}
