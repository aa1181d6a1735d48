import { createRequire } from 'node:module';
import type { TopicSpec } from '@email-events/schemas';
import { expect, test, vi } from 'vitest';
import { useStack } from '../../../../test/harness/stack.ts';
import { applyTopics, commonConfig, withAdmin } from '../../index.ts';

const require = createRequire(import.meta.url);
const { prototype } = require('kafkajs/src/broker/index.js') as {
  prototype: { [name in 'metadata' | 'createTopics']: (...args: unknown[]) => Promise<unknown> };
};
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  createErrorFromCode(code: number): Error;
};
const UNKNOWN_TOPIC_OR_PARTITION = 3;

test('a topic that the next broker has not heard of is waited for, and no failure', async (scope) => {
  const stack = useStack();
  const { kafka } = commonConfig.parse({ kafka: stack.kafka });
  const name = stack.unique('created');
  scope.onTestFinished(async () => {
    vi.restoreAllMocks();
    await withAdmin(kafka, (admin) => admin.deleteTopics({ topics: [name] }));
  });
  const { metadata, createTopics } = prototype;
  let unheardOf = 0;
  vi.spyOn(prototype, 'createTopics').mockImplementation(async function (this: object, ...args) {
    const created = await createTopics.apply(this, args);
    unheardOf = 3;
    return created;
  });
  vi.spyOn(prototype, 'metadata').mockImplementation(async function (this: object, ...args) {
    if (unheardOf > 0) {
      unheardOf--;
      throw createErrorFromCode(UNKNOWN_TOPIC_OR_PARTITION);
    }
    return metadata.apply(this, args);
  });
  const catalogue: TopicSpec[] = [
    { name, schema: null, partitions: 2, replicationFactor: 1, config: {}, doc: '' },
  ];
  const { actions } = await applyTopics(kafka, catalogue);
  expect(actions).toMatchObject([{ topic: name, kind: 'create' }]);
  expect(unheardOf).toBe(0);
});
