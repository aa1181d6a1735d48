import { pino } from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { PipelineError } from '../../errors.ts';
import { FakeTransport } from '../testing/fake-transport.ts';
import { GroupCommitProducer } from './group-commit.ts';
import type { PublishRecord } from './transport.ts';

const REFUSED = { code: 'KAFKA_RECORD_TOO_LARGE', answered: true } as const;
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
    for (const { answer, batches } of fake.sends) answer.resolve(batches.map(() => 0));
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
    fake.sends[0]?.answer.resolve([]);
    await fake.sent(2);
    expect(fake.sends[1]?.batches).toMatchObject([{ records: [{}] }]);
    fake.acknowledge(1);
    await published;
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
      const tooLarge = fake.sends[sent]?.batches.find(({ records }) =>
        records.some(({ value }) => value.length === 150_000),
      );
      if (!tooLarge) fake.acknowledge(sent);
      else fake.fail(sent, { ...REFUSED, partition: tooLarge.partition });
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
  test('what a send left open is sent again, ahead of what waits, to the leader by then', async () => {
    const { producer, fake } = await started();
    const first = producer.publish(record(100));
    await fake.sent(1);
    const waiting = producer.publish(record(200));
    fake.fail(0);
    await fake.sent(2);
    expect(fake.opens).toBe(2);
    const sizes = fake.sends[1]?.batches.flatMap(({ records }) => records.map(({ value }) => value.length));
    expect(sizes).toEqual([100, 200]);
    fake.acknowledge(1);
    expect([await first, await waiting]).toMatchObject([{ offset: 0 }, { offset: 1 }]);
    expect(producer.health()).toBeUndefined();
    expect(producer.pendingBytes).toBe(0);
  });

  test('when that fails too: refuse at once, say so, and come back by itself', async () => {
    const { producer, fake } = await started();
    const lost = codeOf(producer.publish(record()));
    await fake.sent(1);
    const waiting = codeOf(producer.publish(record()));
    fake.openError = 'KAFKA_UNREACHABLE';
    fake.fail(0);
    expect([await lost, await waiting]).toEqual(['KAFKA_UNREACHABLE', 'KAFKA_UNREACHABLE']);
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
    const lost = codeOf(producer.publish(record()));
    for (let i = 0; i < 2; i++) {
      await fake.sent(i + 1);
      fake.fail(i);
    }
    expect(await lost).toBe('KAFKA_UNREACHABLE');
    expect(await codeOf(producer.publish(record()))).toBe('KAFKA_UNREACHABLE');
    expect(fake.opens).toBe(2);
  });

  test('an acknowledgement that does not come: rejected in time, and the connection is given up', async () => {
    const { producer, fake } = await started({ publishTimeoutMs: 50 });
    const published = codeOf(producer.publish(record()));
    expect(await published).toBe('KAFKA_PUBLISH_FAILED');
    expect(fake.sends).toHaveLength(1);
    await expect.poll(() => fake.opens).toBe(2);
    // The producer ignores a late failure of the old connection.
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

describe('several brokers', () => {
  const three = () => {
    const fake = new FakeTransport();
    fake.routes = [
      { node: 1, partitions: [0] },
      { node: 2, partitions: [1] },
      { node: 3, partitions: [2] },
    ];
    return started({}, fake);
  };

  test('each has one request at a time, and none waits for another', async () => {
    const { producer, fake } = await three();
    const published: Promise<unknown>[] = [];
    for (let i = 0; i < 4; i++) {
      published.push(producer.publish(record()));
      await fake.sent(Math.min(i + 1, 3));
    }
    expect(fake.nodes()).toEqual([1, 2, 3]);
    fake.acknowledge(1);
    await fake.sent(4);
    expect(fake.nodes()).toEqual([1, 2, 3, 2]);
    for (const index of [0, 2, 3]) fake.acknowledge(index);
    await Promise.all(published);
  });

  test('what one does not acknowledge goes to another; it rests although it is said to lead', async () => {
    const { producer, fake } = await three();
    const published = producer.publish(record());
    await fake.sent(1);
    fake.fail(0);
    await fake.sent(2);
    fake.acknowledge(1);
    await published;
    for (let i = 2; i < 6; i++) {
      const next = producer.publish(record());
      await fake.sent(i + 1);
      fake.acknowledge(i);
      await next;
    }
    expect(fake.nodes().filter((node) => node === 1)).toHaveLength(1);
    expect(new Set(fake.nodes())).toEqual(new Set([1, 2, 3]));
    expect(producer.health()).toBeUndefined();
  });

  test('a partition that has moved does not cost its broker the others', async () => {
    const fake = new FakeTransport();
    const { producer } = await started({}, fake);
    const published = [400_000, 400_000, 400_000].map((size) => producer.publish(record(size)));
    await fake.sent(1);
    expect(fake.sends[0]?.batches.map(({ partition }) => partition)).toEqual([0, 1]);
    fake.fail(0, { answered: true, partition: 0 });
    await fake.sent(2);
    expect(fake.sends[1]?.batches.map(({ partition }) => partition)).not.toContain(0);
    fake.acknowledge(1);
    await Promise.all(published);
    expect(fake.nodes()).toEqual([1, 1]);
    expect(producer.pendingBytes).toBe(0);
  });

  /** Sends are looked after by the clock, which the test moves on. */
  function withClock() {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    return three();
  }

  test('one that hangs while others acknowledge is given up before its records are overdue', async () => {
    const { producer, fake } = await withClock();
    const stuck = producer.publish(record());
    await fake.sent(1);
    vi.advanceTimersByTime(1_000);
    const other = producer.publish(record());
    await fake.sent(2);
    fake.acknowledge(1);
    await other;
    vi.advanceTimersByTime(2_000);
    await fake.sent(3);
    expect(fake.nodes().at(-1)).not.toBe(1);
    fake.acknowledge(2);
    expect(await stuck).not.toMatchObject({ partition: 0 });
  });

  test('while none acknowledges, none is given up for another', async () => {
    const { producer, fake } = await withClock();
    const published: Promise<unknown>[] = [];
    for (const sent of [1, 2, 3]) {
      published.push(producer.publish(record()));
      await fake.sent(sent);
    }
    published.push(producer.publish(record()));
    vi.advanceTimersByTime(10_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(fake.sends).toHaveLength(3);
    for (const index of [0, 1, 2]) fake.acknowledge(index);
    await fake.sent(4);
    fake.acknowledge(3);
    await Promise.all(published);
  });
});

describe('several brokers, none of which acknowledges', () => {
  const pair = () => {
    const fake = new FakeTransport();
    fake.routes = [
      { node: 1, partitions: [0, 2] },
      { node: 2, partitions: [1] },
    ];
    return fake;
  };

  test('nothing is refused while there is time: what waited goes out when one is back', async () => {
    const { producer, fake } = await started({}, pair());
    const lost = [producer.publish(record(100)), producer.publish(record(100))];
    await fake.sent(1);
    const other = producer.publish(record(100));
    await fake.sent(2);
    fake.openError = 'KAFKA_UNREACHABLE';
    fake.fail(0);
    fake.fail(1);
    const before = fake.opens;
    await expect.poll(() => fake.opens, { timeout: 10_000 }).toBeGreaterThan(before + 2);
    expect(producer.health()).toBe('KAFKA_UNREACHABLE');
    const late = producer.publish(record(200));
    fake.openError = undefined;
    let acknowledged = 2;
    await vi.waitFor(
      async () => {
        while (acknowledged < fake.sends.length) fake.acknowledge(acknowledged++);
        expect(producer.pendingBytes).toBe(0);
      },
      { timeout: 10_000, interval: 5 },
    );
    expect(await Promise.all([...lost, other, late])).toHaveLength(4);
    expect(producer.health()).toBeUndefined();
  });

  test('for longer than a record has: each is refused when its time is up, then all at once', async () => {
    const { producer, fake } = await started({ publishTimeoutMs: 300 }, pair());
    const lost = codeOf(producer.publish(record()));
    await fake.sent(1);
    fake.openError = 'KAFKA_UNREACHABLE';
    const other = codeOf(producer.publish(record()));
    await fake.sent(2);
    fake.fail(0);
    fake.fail(1);
    expect(await lost).toMatch(/^KAFKA_(?:PUBLISH_FAILED|UNREACHABLE)$/);
    expect(await other).toMatch(/^KAFKA_(?:PUBLISH_FAILED|UNREACHABLE)$/);
    await vi.waitFor(async () => expect(await codeOf(producer.publish(record()))).toBe('KAFKA_UNREACHABLE'), {
      timeout: 10_000,
    });
    expect(producer.pendingBytes).toBe(0);
  });

  test('a topic that is not there is no matter of time', async () => {
    const { producer, fake } = await started({}, pair());
    const lost = codeOf(producer.publish(record()));
    await fake.sent(1);
    fake.openError = 'KAFKA_TOPIC_MISSING';
    fake.fail(0);
    const other = codeOf(producer.publish(record()));
    await fake.sent(2);
    fake.fail(1);
    expect([await lost, await other]).toEqual(['KAFKA_TOPIC_MISSING', 'KAFKA_TOPIC_MISSING']);
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
