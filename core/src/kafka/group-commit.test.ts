import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ErrorCode, PipelineError } from '../errors.ts';
import { GroupCommitProducer } from './group-commit.ts';
import type { PublishRecord, RecordBatch, RecordTransport } from './group-commit-transport.ts';

/** A broker in memory whose answers the test gives. */
class FakeTransport implements RecordTransport {
  readonly sends: {
    batches: readonly RecordBatch[];
    answer: PromiseWithResolvers<ReadonlyMap<number, number>>;
  }[] = [];
  opens = 0;
  closed = false;
  partitions: readonly number[] = [0, 1, 2];
  openError: ErrorCode | undefined;
  #next = 0;

  async open(): Promise<readonly number[]> {
    this.opens += 1;
    if (this.openError) throw new PipelineError(this.openError, 'retry', 'no');
    return this.partitions;
  }

  send(batches: readonly RecordBatch[]): Promise<ReadonlyMap<number, number>> {
    const answer = Promise.withResolvers<ReadonlyMap<number, number>>();
    this.sends.push({ batches, answer });
    return answer.promise;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async sent(count: number): Promise<void> {
    await expect.poll(() => this.sends.length, { interval: 1 }).toBe(count);
  }

  acknowledge(index: number): void {
    const send = this.sends[index];
    send?.answer.resolve(new Map(send.batches.map(({ partition }) => [partition, this.#take(send.batches)])));
  }

  fail(index: number, code: ErrorCode = 'KAFKA_UNREACHABLE'): void {
    this.sends[index]?.answer.reject(new PipelineError(code, 'retry', 'no'));
  }

  #take(batches: readonly RecordBatch[]): number {
    const base = this.#next;
    this.#next += batches[0]?.records.length ?? 0;
    return base;
  }
}

const record = (bytes = 100): PublishRecord => ({ value: Buffer.alloc(bytes), headers: {} });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'published',
    (error: PipelineError) => error.code,
  );

async function started(
  options: { publishTimeoutMs?: number; maxWaitingBytes?: number } = {},
  fake = new FakeTransport(),
) {
  const producer = new GroupCommitProducer({
    transport: fake,
    log: pino({ level: 'silent' }),
    publishTimeoutMs: 20_000,
    maxWaitingBytes: 10_000_000,
    ...options,
  });
  onTestFinished(async () => {
    for (const { answer } of fake.sends) answer.resolve(new Map());
    await producer.close();
  });
  await producer.start();
  return { producer, fake };
}

describe('batching', () => {
  test('what waits together goes together, and each hears its own offset', async () => {
    const { producer, fake } = await started();
    const first = [producer.publish(record()), producer.publish(record())];
    await fake.sent(1);
    expect(fake.sends[0]?.batches).toMatchObject([{ partition: 0, records: [{}, {}] }]);
    const second = [producer.publish(record()), producer.publish(record()), producer.publish(record())];
    fake.acknowledge(0);
    expect(await Promise.all(first)).toEqual([
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 },
    ]);
    await fake.sent(2);
    fake.acknowledge(1);
    expect(await Promise.all(second)).toEqual([2, 3, 4].map((offset) => ({ partition: 1, offset })));
    expect(producer.pendingBytes).toBe(0);
  });

  test('not before the broker has acknowledged', async () => {
    const { producer, fake } = await started();
    let done = false;
    const published = producer.publish(record()).then(() => {
      done = true;
    });
    await fake.sent(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toBe(false);
    fake.acknowledge(0);
    await published;
  });

  test('a batch is bounded; more goes to further partitions in the same request', async () => {
    const { producer, fake } = await started();
    for (let i = 0; i < 5; i++) void codeOf(producer.publish(record(400_000)));
    void codeOf(producer.publish(record(1_500_000)));
    await fake.sent(1);
    expect(fake.sends[0]?.batches.map(({ partition, records }) => [partition, records.length])).toEqual([
      [0, 2],
      [1, 2],
      [2, 1],
    ]);
    fake.acknowledge(0);
    await fake.sent(2);
    expect(fake.sends[1]?.batches.map(({ partition, records }) => [partition, records.length])).toEqual([
      [0, 1],
    ]);
  });

  test('a partition that the answer leaves out was not acknowledged', async () => {
    const { producer, fake } = await started();
    const published = producer.publish(record());
    await fake.sent(1);
    fake.sends[0]?.answer.resolve(new Map());
    expect(await codeOf(published)).toBe('KAFKA_PUBLISH_FAILED');
  });
});

describe('refusals', () => {
  test('a record that the topic cannot take', async () => {
    const { producer } = await started();
    expect(await codeOf(producer.publish(record(2_200_000)))).toBe('KAFKA_RECORD_TOO_LARGE');
  });

  test('too many bytes waiting; room again after the acknowledgement', async () => {
    const { producer, fake } = await started({ maxWaitingBytes: 1_000 });
    const first = producer.publish(record(600));
    expect(await codeOf(producer.publish(record(600)))).toBe('KAFKA_BACKLOG_FULL');
    await fake.sent(1);
    fake.acknowledge(0);
    await first;
    void codeOf(producer.publish(record(600)));
    await fake.sent(2);
  });

  test('the topic takes less than expected: the record that is too large is found, all others go', async () => {
    const { producer, fake } = await started();
    const sizes = [140_000, 140_000, 150_000, 140_000, 140_000, 140_000, 140_000];
    const group = sizes.map((size) => codeOf(producer.publish(record(size))));
    const done = Promise.all(group);
    for (let sent = 0; sent < 20 && (await Promise.race([done, fake.sent(sent + 1)])) === undefined; sent++) {
      const records = fake.sends[sent]?.batches.flatMap((batch) => batch.records) ?? [];
      if (records.some(({ value }) => value.length === 150_000)) fake.fail(sent, 'KAFKA_RECORD_TOO_LARGE');
      else fake.acknowledge(sent);
    }
    const others = Array.from({ length: 4 }, () => 'published');
    expect(await done).toEqual(['published', 'published', 'KAFKA_RECORD_TOO_LARGE', ...others]);
    expect(fake.opens).toBe(1);
    expect(producer.health()).toBeUndefined();
    expect(producer.pendingBytes).toBe(0);
  });

  test('too large is too large, also while the broker is away', async () => {
    const fake = new FakeTransport();
    fake.openError = 'KAFKA_UNREACHABLE';
    const { producer } = await started({}, fake);
    expect(await codeOf(producer.publish(record(2_200_000)))).toBe('KAFKA_RECORD_TOO_LARGE');
    expect(producer.tooLarge(record(2_200_000))?.disposition).toBe('reject');
    expect(producer.tooLarge(record())).toBeUndefined();
  });
});

describe('a broker that is away', () => {
  test('a failed send rejects its records, connects afresh at once, and keeps those that wait', async () => {
    const { producer, fake } = await started();
    const lost = codeOf(producer.publish(record()));
    await fake.sent(1);
    const waiting = producer.publish(record());
    fake.fail(0);
    expect(await lost).toBe('KAFKA_PUBLISH_FAILED');
    await fake.sent(2);
    expect(fake.opens).toBe(2);
    fake.acknowledge(1);
    expect(await waiting).toMatchObject({ offset: 0 });
    expect(producer.health()).toBeUndefined();
  });

  test('when that fails too: refuse at once, say so, and come back by itself', async () => {
    const { producer, fake } = await started();
    const lost = codeOf(producer.publish(record()));
    await fake.sent(1);
    const waiting = codeOf(producer.publish(record()));
    fake.openError = 'KAFKA_UNREACHABLE';
    fake.fail(0);
    expect([await lost, await waiting]).toEqual(['KAFKA_PUBLISH_FAILED', 'KAFKA_UNREACHABLE']);
    expect(await codeOf(producer.publish(record()))).toBe('KAFKA_UNREACHABLE');
    expect(producer.health()).toBe('KAFKA_UNREACHABLE');
    expect(producer.pendingBytes).toBe(0);
    fake.openError = undefined;
    await expect.poll(() => producer.health(), { timeout: 10_000 }).toBeUndefined();
    const published = producer.publish(record());
    await fake.sent(2);
    fake.acknowledge(1);
    await published;
  });

  test('connections succeed but sends do not: no busy loop, down in between', async () => {
    const { producer, fake } = await started();
    for (let i = 0; i < 2; i++) {
      const lost = codeOf(producer.publish(record()));
      await fake.sent(i + 1);
      fake.fail(i);
      expect(await lost).toBe('KAFKA_PUBLISH_FAILED');
      await expect.poll(() => producer.health() !== undefined || fake.opens === 2).toBe(true);
    }
    expect(await codeOf(producer.publish(record()))).toBe('KAFKA_UNREACHABLE');
    expect(fake.opens).toBe(2);
  });

  test('an acknowledgement that does not come: rejected in time, and the connection is given up', async () => {
    const { producer, fake } = await started({ publishTimeoutMs: 50 });
    const published = codeOf(producer.publish(record()));
    expect(await published).toBe('KAFKA_PUBLISH_FAILED');
    expect(fake.sends).toHaveLength(1);
    await expect.poll(() => fake.opens).toBe(2);
    // What the old connection still says counts for nothing.
    fake.fail(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(fake.opens).toBe(2);
    expect(producer.pendingBytes).toBe(0);
  });

  test('away from the start: start resolves, health says why', async () => {
    const fake = new FakeTransport();
    fake.openError = 'KAFKA_TOPIC_MISSING';
    const { producer } = await started({}, fake);
    expect(producer.health()).toBe('KAFKA_TOPIC_MISSING');
    expect(await codeOf(producer.publish(record()))).toBe('KAFKA_TOPIC_MISSING');
    fake.openError = undefined;
    await expect.poll(() => producer.health(), { timeout: 10_000 }).toBeUndefined();
  });
});

test('close waits for what is under way and takes nothing more', async () => {
  const { producer, fake } = await started();
  const published = producer.publish(record());
  await fake.sent(1);
  const closing = producer.close();
  expect(await codeOf(producer.publish(record()))).toBe('KAFKA_UNREACHABLE');
  fake.acknowledge(0);
  expect(await published).toMatchObject({ offset: 0 });
  await closing;
  expect(fake.closed).toBe(true);
  expect(await codeOf(producer.publish(record()))).toBe('KAFKA_UNREACHABLE');
});
