import { type ErrorCode, PipelineError, type PublishRecord } from '@email-events/core';
import { expect, test, vi } from 'vitest';
import { Refused } from './codes.ts';
import { SpooledPublisher } from './publishing.ts';
import type { SpoolProblem } from './spool/spool-store.ts';

const AFTER_MS = 20;
const record: PublishRecord = { value: Buffer.from('[]'), headers: {} };

/** A Kafka and a spool whose answers the test gives. */
function setUp() {
  const kafka = {
    problem: undefined as ErrorCode | undefined,
    tooLarge: undefined as PipelineError | undefined,
    asked: [] as PromiseWithResolvers<{ partition: number; offset: number }>[],
  };
  const spool = { problem: undefined as SpoolProblem | undefined, appended: 0 };
  const counts = { spooled: vi.fn(), refused: vi.fn() };
  const publisher = new SpooledPublisher({
    producer: {
      health: () => kafka.problem,
      tooLarge: () => kafka.tooLarge,
      publish: () => {
        const answer = Promise.withResolvers<{ partition: number; offset: number }>();
        kafka.asked.push(answer);
        return answer.promise;
      },
    },
    spool: {
      health: () => spool.problem,
      append: async () => {
        if (spool.problem) throw new Refused(spool.problem);
        spool.appended++;
      },
    },
    afterMs: AFTER_MS,
    counts,
  });
  const outcome = () =>
    publisher.publish(record).then(
      (keeper) => keeper as string,
      (error: { code: string }) => error.code,
    );
  const failure = (code: ErrorCode, disposition: 'retry' | 'reject' = 'retry') =>
    new PipelineError(code, disposition, 'no');
  return { kafka, spool, counts, outcome, failure, place: { partition: 0, offset: 0 } };
}

test('Kafka acknowledges: the spool hears nothing of it', async () => {
  const { kafka, spool, counts, outcome, place } = setUp();
  const done = outcome();
  kafka.asked[0]?.resolve(place);
  expect(await done).toBe('kafka');
  expect(spool.appended).toBe(0);
  expect(counts.spooled).not.toHaveBeenCalled();
});

test('Kafka is known to be away: at once into the spool, Kafka is not asked', async () => {
  const { kafka, counts, outcome } = setUp();
  kafka.problem = 'KAFKA_UNREACHABLE';
  expect(await outcome()).toBe('spool');
  expect(kafka.asked).toHaveLength(0);
  expect(counts.spooled).toHaveBeenCalledOnce();
});

test('no acknowledgement in time: into the spool, and further ones at once until Kafka answers again', async () => {
  const { kafka, spool, outcome, place } = setUp();
  expect(await outcome()).toBe('spool');
  expect(await outcome()).toBe('spool');
  expect(kafka.asked).toHaveLength(1);
  kafka.asked[0]?.resolve(place);
  await new Promise((resolve) => setImmediate(resolve));
  const direct = outcome();
  kafka.asked[1]?.resolve(place);
  expect(await direct).toBe('kafka');
  expect(spool.appended).toBe(2);
});

test.each(['KAFKA_PUBLISH_FAILED', 'KAFKA_BACKLOG_FULL', 'KAFKA_TOPIC_MISSING'] as const)(
  '%s: into the spool',
  async (code) => {
    const { kafka, spool, outcome, failure } = setUp();
    const done = outcome();
    kafka.asked[0]?.reject(failure(code));
    expect(await done).toBe('spool');
    expect(spool.appended).toBe(1);
  },
);

test('late and then refused by Kafka: it is in the spool once', async () => {
  const { kafka, spool, outcome, failure, place } = setUp();
  expect(await outcome()).toBe('spool');
  kafka.asked[0]?.reject(failure('KAFKA_PUBLISH_FAILED'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(spool.appended).toBe(1);
  // It is not waited for any more.
  const direct = outcome();
  kafka.asked[1]?.resolve(place);
  expect(await direct).toBe('kafka');
});

test('what no topic takes is never spooled, whether Kafka is there or not', async () => {
  const { kafka, spool, outcome, failure } = setUp();
  const done = outcome();
  kafka.asked[0]?.reject(failure('KAFKA_RECORD_TOO_LARGE', 'reject'));
  expect(await done).toBe('KAFKA_RECORD_TOO_LARGE');
  kafka.problem = 'KAFKA_UNREACHABLE';
  kafka.tooLarge = failure('KAFKA_RECORD_TOO_LARGE', 'reject');
  expect(await outcome()).toBe('KAFKA_RECORD_TOO_LARGE');
  expect(spool.appended).toBe(0);
});

test('the spool is out of order: Kafka has as long as it would have without a spool', async () => {
  const { kafka, spool, counts, outcome, failure, place } = setUp();
  spool.problem = 'INGRESS_SPOOL_FULL';
  const slow = outcome();
  await expect.poll(() => counts.refused.mock.calls.length).toBe(1);
  kafka.asked[0]?.resolve(place);
  expect(await slow).toBe('kafka');
  const lost = outcome();
  kafka.asked[1]?.reject(failure('KAFKA_UNREACHABLE'));
  expect(await lost).toBe('INGRESS_SPOOL_FULL');
  expect(counts.refused).toHaveBeenCalledWith('INGRESS_SPOOL_FULL');
});
