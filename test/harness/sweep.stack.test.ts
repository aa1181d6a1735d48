import { applyTopics, commonConfig, withAdmin } from '@email-events/core';
import { registerSchemas, subjects, topicCatalogue, topics } from '@email-events/schemas';
import { connect, migrate } from '@email-events/sink-clickhouse';
import { expect, test } from 'vitest';
import { commitOffsets, fileScope, makeTopics, useStack, vacantStack } from './stack.ts';
import { pipelineTraces, removePipelineTopics, sweep } from './sweep.ts';

// On the stack of the run: files run one after the other, so no other test has anything there now.
const stack = useStack();
const { kafka } = commonConfig.parse({ kafka: stack.kafka });
/** Neither the pipeline's nor of a test. */
const ALIEN = 'email.somebody-else';

const topicNames = () => withAdmin(kafka, (admin) => admin.listTopics());
const groupIds = () =>
  withAdmin(kafka, async (admin) => (await admin.listGroups()).groups.map(({ groupId }) => groupId));

async function databases(): Promise<string[]> {
  const clickhouse = connect(stack.clickhouseAt('default'));
  const found = await clickhouse.query<{ name: string }>('SELECT name FROM system.databases');
  await clickhouse.close();
  return found.map(({ name }) => name);
}

async function makePipeline(): Promise<void> {
  const config = commonConfig.parse({ kafka: stack.kafka, topics: { partitions: 1, rawPartitions: 1 } });
  await Promise.all([
    applyTopics(config.kafka, topicCatalogue(config.topics)),
    registerSchemas(stack.registry),
    migrate(stack.clickhouseAt('email')),
  ]);
}

async function makeAlien(): Promise<() => Promise<void>> {
  await makeTopics(kafka, [ALIEN]);
  return () => withAdmin(kafka, (admin) => admin.deleteTopics({ topics: [ALIEN] }));
}

test('what a pipeline has on a stack is seen; tests remove all of it and of their own, and nothing else', async (context) => {
  context.onTestFinished(await makeAlien());
  await makePipeline();
  const [group, database] = [stack.unique('group'), stack.uniqueDatabase('swept')];
  await commitOffsets(kafka, group, topics.raw, [{ partition: 0, offset: '0' }]);
  await migrate(stack.clickhouseAt(database));
  expect(await pipelineTraces(stack)).toEqual(
    expect.arrayContaining([`topic ${topics.raw}`, `subject ${subjects[0]?.name}`, 'database email']),
  );
  expect(await groupIds()).toContain(group);

  await sweep(stack);
  expect(await pipelineTraces(stack)).toEqual([]);
  expect(await groupIds()).not.toContain(group);
  const left = await databases();
  expect([left.includes(database), left.includes('default')]).toEqual([false, true]);
  expect(await topicNames()).toContain(ALIEN);
});

test('a stack is vacated before a test and after it: topics are made anew, others stay', async (context) => {
  context.onTestFinished(await makeAlien());
  await makePipeline();
  const own = stack.unique('kept');
  await makeTopics(kafka, [own]);
  const { scope, end } = fileScope();
  await vacantStack(scope);
  expect(await topicNames()).toEqual(expect.arrayContaining([ALIEN, own]));
  expect(await topicNames()).not.toContain(topics.raw);
  // Of another size than before, which a topic that had stayed would refuse.
  const config = commonConfig.parse({ kafka: stack.kafka, topics: { partitions: 2, rawPartitions: 3 } });
  expect((await applyTopics(config.kafka, topicCatalogue(config.topics))).problems).toBe(0);
  await registerSchemas(stack.registry);
  await end();
  expect((await pipelineTraces(stack)).filter((trace) => !trace.startsWith('database'))).toEqual([]);
  // There is nothing to do the second time.
  await removePipelineTopics(stack);
});
