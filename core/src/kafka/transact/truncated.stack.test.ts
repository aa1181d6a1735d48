import { expect, test } from 'vitest';
import { commitOffsets } from '../../../../test/stack/offsets.ts';
import { useStack } from '../../../../test/stack/stack.ts';
import { makeTopics } from '../../../../test/stack/topics.ts';
import { commonConfig, createMetrics, silentLog, startTransactionalLoop } from '../../index.ts';
import { createKafka } from '../client.ts';

test('a partition that ends before what was committed ends the loop: what comes next must not be taken for done', async (scope) => {
  const stack = useStack();
  const { kafka: settings } = commonConfig.parse({ kafka: stack.kafka });
  const [topic, name] = [stack.unique('truncated'), stack.unique('loop')];
  const groupId = `${settings.groupPrefix}.${name}`;
  await makeTopics(settings, [topic]);
  const producer = createKafka(settings, 'test', silentLog).producer();
  await producer.connect();
  scope.onTestFinished(() => producer.disconnect());
  await producer.send({ topic, messages: [{ value: 'new' }] });
  await commitOffsets(settings, groupId, topic, [{ partition: 0, offset: '5000' }]);

  // The second one is told the same: nothing was committed in between.
  for (let start = 0; start < 2; start++) {
    const processed: unknown[] = [];
    const loop = await startTransactionalLoop({
      kafka: settings,
      name,
      topic,
      concurrency: 1,
      createStage: () => ({
        open: async () => {},
        process: async (records) => {
          processed.push(...records);
          return { outputs: [] };
        },
        setAside: async () => ({ outputs: [] }),
        checkItself: async () => {},
        close: async () => {},
      }),
      log: silentLog,
      metrics: createMetrics('test'),
    });
    scope.onTestFinished(() => loop.stop());
    await expect(loop.done).rejects.toMatchObject({ code: 'KAFKA_LOG_TRUNCATED', disposition: 'fatal' });
    await loop.stop();
    expect(processed).toEqual([]);
  }
});
