import {
  applyTopics,
  createKafka,
  createLogger,
  createMetrics,
  readTopic,
  silentLog,
} from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import {
  Codec,
  type DeadLetter,
  type NormalizedBatch,
  registerSchemas,
  topicCatalogue,
  topics,
} from '@email-events/schemas';
import { expect, test } from 'vitest';
import { vacantStack, waitFor } from '../../../test/harness/stack.ts';
import { oversizedRequests } from '../testing/oversized.ts';
import { rawRecord, sendgridItem } from '../testing/records.ts';
import { normalizeService } from './descriptor.ts';
import { startNormalize } from './service.ts';

const { parse: parseConfig } = composeConfig([normalizeService]);

const PARTITION = 1;

test('no request stops its partition: what would come to too much is one dead letter, and what is behind it comes out', async (scope) => {
  const stack = await vacantStack(scope);
  const config = parseConfig({
    kafka: { ...stack.kafka, groupPrefix: stack.unique('oversized') },
    registry: stack.registry,
    topics: { partitions: 2, rawPartitions: 2 },
    normalize: { adminPort: 0 },
  });
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const metrics = createMetrics('normalize');
  const service = await startNormalize({ config, log: createLogger('normalize', 'silent'), metrics });
  scope.onTestFinished(() => service.stop());

  const requests = oversizedRequests();
  const producer = createKafka(config.kafka, 'test', silentLog).producer();
  await producer.connect();
  scope.onTestFinished(() => producer.disconnect());
  for (const { record } of requests)
    for (const { value, headers } of [record, rawRecord([sendgridItem('open')])])
      await producer.send({
        ...{ topic: topics.raw, messages: [{ partition: PARTITION, value, headers }] },
      });

  const codec = new Codec(stack.registry);
  const read = async <T>(topic: string, key: 'normalized' | 'deadLetter') => {
    const values: Buffer[] = [];
    const onRecord = ({ value }: { readonly value: Buffer | null }) => void (value && values.push(value));
    await readTopic(config.kafka, { topics: [topic], from: 'beginning', onRecord });
    const decoder = codec.decoder<T>(key);
    await decoder.load(values);
    return values.map((value) => decoder.decode(value));
  };
  const readEvents = async () =>
    (await read<NormalizedBatch>(topics.normalized, 'normalized')).flatMap((batch) => batch.events);
  await waitFor('all came out', async () => (await readEvents()).length >= requests.length, 120_000);
  const letters = await read<DeadLetter>(topics.deadLetters, 'deadLetter');
  expect(letters.map(({ code }) => code)).toEqual(requests.map(({ code }) => code));
  for (const [i, { value }] of letters.entries())
    expect(value?.equals(requests[i]?.record.value as Buffer)).toBe(true);
  const events = await readEvents();
  // Every other record, each once.
  expect(events.map(({ raw_offset }) => raw_offset).sort((a, b) => a - b)).toEqual(
    requests.map((_, i) => 2 * i + 1),
  );
}, 240_000);
