import { topics } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { pipelineConfig } from '../services.ts';
import { remainsInKafka } from './remains.ts';

const DAY = 86_400_000;

test('what remains is told of every topic that names recipients, with its end where it has one', () => {
  const config = pipelineConfig.parse({
    topics: { retention: { rawDays: 3, quarantineHours: 24, compactionDays: 2 } },
  });
  const remains = new Map(remainsInKafka(config, 0).map(({ topic, until, why }) => [topic, { until, why }]));
  expect(remains.get(topics.raw)?.until).toBe(10 * DAY);
  expect(remains.get(topics.quarantine)?.until).toBe(DAY + DAY / 8);
  expect(remains.get(topics.suppressions)).toMatchObject({
    until: 6 * DAY,
    why: expect.stringContaining('compaction'),
  });
  expect(remains.get(topics.recipientState)?.until).toBe(6 * DAY);
  expect(remains.get(topics.operatorActions)).toMatchObject({
    until: null,
    why: expect.stringContaining('for good'),
  });
  expect(remains.get(topics.eventMarks)?.until).toBeNull();
  // Hashes of requests, ids, windows and alerts name nobody.
  expect([...remains.keys()].sort()).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/seen|tokens|windows|alerts/)]),
  );
});
