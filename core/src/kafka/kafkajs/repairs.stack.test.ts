import { createRequire } from 'node:module';
import type { TopicSpec } from '@email-events/schemas';
import { expect, test, vi } from 'vitest';
import { useStack } from '../../../../test/harness/stack.ts';
import { commonConfig, requireTopics, silentLog, whenThere } from '../../index.ts';

const require = createRequire(import.meta.url);
const Broker = require('kafkajs/src/broker/index.js') as {
  prototype: { metadata(topics: unknown): Promise<unknown> };
};
const { KafkaJSConnectionClosedError } = require('kafkajs/src/errors.js') as {
  KafkaJSConnectionClosedError: new (message: string) => Error;
};

const { metadata } = Broker.prototype;

/** The first answer, by which the client gets to know the cluster, arrives; the next `count` are broken off. */
function breakOff(count: number) {
  const spy = vi.spyOn(Broker.prototype, 'metadata');
  spy.mockImplementationOnce(function (this: object, topics) {
    return metadata.call(this, topics);
  });
  for (let i = 0; i < count; i++)
    spy.mockRejectedValueOnce(new KafkaJSConnectionClosedError('Closed connection'));
  return spy;
}

test('a broker that goes away while it answers is an outage, which a service that starts waits out', async (scope) => {
  const stack = useStack();
  const { kafka } = commonConfig.parse({ kafka: stack.kafka });
  const spy = breakOff(1);
  scope.onTestFinished(() => spy.mockRestore());
  const outage = { code: 'KAFKA_UNREACHABLE', disposition: 'retry' };
  await expect(requireTopics(kafka, [], [])).rejects.toMatchObject(outage);

  breakOff(1);
  const catalogue: TopicSpec[] = [];
  const asked = whenThere(() => requireTopics(kafka, catalogue, []), {
    ...{ log: silentLog, what: 'kafka', pauseMs: 1 },
  });
  await expect(asked).resolves.toBeUndefined();
  // Twice each time: it was the broken off answer that was waited out.
  expect(spy).toHaveBeenCalledTimes(6);
});
