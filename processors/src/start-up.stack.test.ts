import { createLogger, Registry, requireTopics, type StartService } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { topicCatalogue } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { makeTopics, useStack } from '../../test/harness/stack.ts';
import type { EventsConfig } from './events/config.ts';
import { eventsService } from './events/descriptor.ts';
import { startEvents } from './events/service.ts';
import type { NormalizeConfig } from './normalize/config.ts';
import { normalizeService } from './normalize/descriptor.ts';
import { startNormalize } from './normalize/service.ts';

type Config = NormalizeConfig & EventsConfig;
const { parse: parseConfig } = composeConfig([normalizeService, eventsService]);

const stack = useStack();

function configOf(topics: object): Config {
  return parseConfig({
    kafka: { ...stack.kafka, groupPrefix: stack.unique('start-up') },
    registry: stack.registry,
    topics,
    normalize: { adminPort: 0 },
    events: { adminPort: 0 },
  });
}

const start = (service: StartService<Config>, config: Config) =>
  service({ config, log: createLogger('test', 'silent'), metrics: new Registry() });

// No topic of the shared stack has as many partitions, even if earlier tests left topics there.
const WRONG = { partitions: 97, rawPartitions: 97 };

test.each([
  ['normalize', startNormalize, ['email.raw', 'email.internal.normalized']],
  ['events', startEvents, ['email.internal.normalized', 'email.internal.seen', 'email.events.opened']],
] as const)(
  '%s does not start on topics that are not as configured, and names them all',
  async (_, service, names) => {
    const started = start(service, configOf(WRONG));
    // The code depends on the topics that the shared stack happens to hold.
    const code = expect.stringMatching(/^KAFKA_TOPIC_(MISSING|CONFLICT)$/);
    await expect(started).rejects.toMatchObject({ code, disposition: 'fatal' });
    const message = await started.then(String, (error: Error) => error.message);
    for (const name of names) expect(message).toContain(name);
  },
);

test('a topic is accepted with the configured number of partitions only', async () => {
  const { kafka, topics } = configOf({});
  const topic = stack.unique('counted');
  await makeTopics(kafka, [topic], 2);
  const [spec] = topicCatalogue(topics);
  if (!spec) throw new Error('the catalogue is empty');
  await requireTopics(kafka, [{ ...spec, name: topic, partitions: 2 }], [topic]);
  await expect(
    requireTopics(kafka, [{ ...spec, name: topic, partitions: 3 }], [topic]),
  ).rejects.toMatchObject({
    code: 'KAFKA_TOPIC_CONFLICT',
  });
});
