import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import {
  applyTopics,
  createKafka,
  createLogger,
  createMetrics,
  type RunningSink,
  readTopic,
  runSink,
  withAdmin,
} from '@email-events/core';
import {
  Codec,
  CodecError,
  type DeadLetter,
  topics as pipelineTopics,
  registerSchemas,
  topicCatalogue,
} from '@email-events/schemas';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { commitOffsets, fileScope, makeTopics, useStack, vacantStack, waitFor } from '../harness/stack.ts';
import { MemorySink, MemoryStore } from './memory-sink.ts';

// The runner on a real broker, with a sink whose every call the tests see and control.
const PARTITIONS = 3;
const log = createLogger('sink-runner-test', 'silent');

const file = fileScope();
let config: PipelineConfig;

beforeAll(async () => {
  const { kafka, registry } = await vacantStack(file.scope);
  config = pipelineConfig.parse({
    kafka: { ...kafka, sessionTimeoutMs: 10_000 },
    registry,
  });
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(registry);
});

afterAll(() => file.end());

describe('the sink runner', () => {
  test('writes each record once, those of a partition in order, and commits behind the last', async () => {
    const world = await makeWorld();
    const sink = new MemorySink();
    await world.produce(300);
    await world.run(sink);
    await waitFor('all rows', () => sink.rows.length >= 300);
    expectExactly(sink, world.sent);
    await waitFor('commits', async () => (await world.lag()) === 0);
    expect((await world.committed()).every(({ metadata }) => !metadata)).toBe(true);
  });

  test('records that cannot be read or are refused become dead letters with all their bytes, and hold up nobody', async () => {
    const world = await makeWorld();
    const sink = new MemorySink();
    await world.send([
      { key: 'k', value: 'broken', partition: 1, headers: { trace: 'abc' } },
      { key: 'k', value: 'refused-1', partition: 1 },
      { key: 'k', value: 'after', partition: 1 },
    ]);
    await world.run(sink);
    await waitFor('the record behind', () => sink.rows.includes('after'));
    await waitFor('commits', async () => (await world.lag()) === 0);
    const letters = await world.deadLetters();
    expect(letters.map(({ code, origin_offset }) => [code, origin_offset])).toEqual([
      ['SINK_RECORD_UNREADABLE', 0],
      ['MEMORY_REFUSED', 1],
    ]);
    const [letter] = letters;
    expect(letter).toMatchObject({
      stage: world.name,
      origin_topic: world.topics[0],
      origin_partition: 1,
      attempts: 1,
    });
    expect([letter?.key, letter?.value, letter?.headers.trace].map(String)).toEqual(['k', 'broken', 'abc']);
    expect(sink.rows).toEqual(['after']);
  });

  test('while the sink is down its records wait, readiness says so, and nothing becomes a dead letter', async () => {
    const world = await makeWorld();
    const sink = new MemorySink();
    sink.down = true;
    const metrics = createMetrics('test');
    const runner = await world.run(sink, { metrics, batchRows: 10 });
    await world.produce(300);
    await waitFor('several attempts', () => sink.attempts.length > 6);
    expect(await runner.readiness.sink()).toBe('SINK_UNAVAILABLE');
    expect(runner.readiness.lanes()).toMatch(/^lane-\d: SINK_UNAVAILABLE/);
    // Also what came when nothing was read any more: buffers are full.
    await world.produce(300);
    const lag = () => sumOf(metrics, 'email_events_consumer_lag');
    await waitFor('the lag', async () => (await lag()) >= 600);
    sink.down = false;
    await waitFor('all rows', () => sink.rows.length >= 600);
    expectExactly(sink, world.sent);
    expect(runner.readiness.lanes()).toBeUndefined();
    await waitFor('no lag', async () => (await lag()) === 0);
    expect(await runner.readiness.sink()).toBeUndefined();
    expect(await world.deadLetters()).toEqual([]);
  });

  for (const point of ['before', 'after'] as const) {
    test(`a crash ${point} the write leaves the same batch to the next owner`, async () => {
      const world = await makeWorld();
      const sink = new MemorySink();
      await world.produce(90);
      const reached = Promise.withResolvers<void>();
      sink.around = async (write) => {
        if (point === 'after') write();
        reached.resolve();
        return new Promise(() => {});
      };
      const first = await world.run(sink, { stopMs: 50 });
      await reached.promise;
      await first.stop();
      const announced = [...sink.attempts];
      expect((await world.committed()).some(({ metadata }) => metadata)).toBe(true);
      sink.around = async (write) => write();
      await world.produce(60);
      await world.run(sink);
      await waitFor('all rows', () => sink.rows.length >= 150);
      await waitFor('commits', async () => (await world.lag()) === 0);
      expectExactly(sink, world.sent);
      for (const id of announced) expect(sink.attempts.filter((attempt) => attempt === id)).toHaveLength(2);
    });
  }

  test('members that come and go while records flow: each record once', async () => {
    const world = await makeWorld();
    const sink = new MemorySink();
    const first = await world.run(sink);
    await world.produce(200);
    const second = await world.run(sink);
    await world.produce(200);
    await waitFor('half of it', () => sink.rows.length > 250);
    await first.stop();
    await world.produce(200);
    const third = await world.run(sink);
    await world.produce(200);
    await waitFor('most of it', () => sink.rows.length > 700);
    await second.stop();
    await waitFor('all rows', () => sink.rows.length >= 800, 60_000);
    await waitFor('commits', async () => (await world.lag()) === 0, 60_000);
    expectExactly(sink, world.sent);
    await third.stop();
  });

  test('a member that lost its lanes while it wrote neither commits nor writes twice', async () => {
    const world = await makeWorld();
    const store = new MemoryStore();
    const [stuck, other] = [new MemorySink(store), new MemorySink(store)];
    await world.produce(600);
    const gate = Promise.withResolvers<void>();
    stuck.around = async (write) => {
      await gate.promise;
      return write();
    };
    await world.run(stuck, { batchRows: 10, concurrency: PARTITIONS });
    await waitFor('a write under way in every lane', () => stuck.attempts.length === PARTITIONS);
    await world.run(other, { batchRows: 10 });
    await waitFor('the other member goes on', () => other.attempts.length > 3);
    const taken = stuck.attempts.filter((id) => other.attempts.includes(id));
    gate.resolve();
    await waitFor('all rows', () => store.rows.length >= 600);
    await waitFor('commits', async () => (await world.lag()) === 0);
    expectExactly(other, world.sent);
    expect(taken.length).toBeGreaterThan(0);
  });

  test('memory stays bounded while the sink is slow', async () => {
    const world = await makeWorld();
    const sink = new MemorySink();
    const gate = Promise.withResolvers<void>();
    sink.around = async (write) => {
      await gate.promise;
      return write();
    };
    const metrics = createMetrics('test');
    await world.run(sink, { metrics, batchRows: 20 });
    for (let n = 0; n < 10; n++) await world.produce(300);
    const buffered = async () => {
      const text = await metrics.getSingleMetricAsString('email_events_sink_buffered_records');
      return Number(/buffered_records\{.*\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    await waitFor('a full buffer', async () => (await buffered()) >= 60);
    // Later records prove that it is full, not that it was not asked yet.
    for (let n = 0; n < 3; n++) await world.produce(300);
    expect(await buffered()).toBeLessThan(2_000);
    gate.resolve();
    await waitFor('all rows', () => sink.rows.length >= 3_900, 60_000);
    expectExactly(sink, world.sent);
    expect(sink.largestBatch).toBe(20);
  });

  test('a stop waits for the write under way and commits it', async () => {
    const world = await makeWorld();
    const sink = new MemorySink();
    const gate = Promise.withResolvers<void>();
    let writing = false;
    sink.around = async (write) => {
      writing = true;
      await gate.promise;
      expect(sink.closed).toBe(false);
      return write();
    };
    await world.send([{ key: 'k', value: 'only', partition: 0 }]);
    const runner = await world.run(sink);
    await waitFor('a write', () => writing);
    const stopped = runner.stop();
    gate.resolve();
    await stopped;
    await runner.done;
    expect(sink.rows).toEqual(['only']);
    expect(sink.closed).toBe(true);
    expect(await world.lag()).toBe(0);
  });

  test('a waiting time that the sink asks for is kept', async () => {
    const world = await makeWorld();
    const sink = new MemorySink();
    const times: number[] = [];
    sink.around = async (write, batch) => {
      times.push(performance.now());
      return times.length > 1
        ? write()
        : batch.records.map(() => ({ outcome: 'retry', code: 'LATER', afterMs: 700 }));
    };
    await world.send([{ key: 'k', value: 'patient', partition: 0 }]);
    await world.run(sink);
    await waitFor('the row', () => sink.rows.length === 1);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(690);
  });

  test('a partition that ends before what was committed ends the sink: nobody knows what is missing', async () => {
    const world = await makeWorld();
    await world.produce(30);
    const [topic = ''] = world.topics;
    const groupId = `${config.kafka.groupPrefix}-${world.name}`;
    await commitOffsets(config.kafka, groupId, topic, [{ partition: 1, offset: '5000' }]);
    const sink = new MemorySink();
    const runner = await world.run(sink);
    await expect(runner.done).rejects.toMatchObject({ code: 'KAFKA_LOG_TRUNCATED', disposition: 'fatal' });
    await runner.stop();
    expect(sink.rows).toEqual([]);
    // The next runner fails in the same way: kafkajs would have committed the beginning meanwhile.
    expect(await world.committed()).toContainEqual(expect.objectContaining({ partition: 1, offset: '5000' }));
    const again = await world.run(sink);
    await expect(again.done).rejects.toMatchObject({ code: 'KAFKA_LOG_TRUNCATED' });
    expect(sink.rows).toEqual([]);
  });
});

/** Of all series of a metric. */
async function sumOf(metrics: ReturnType<typeof createMetrics>, name: string): Promise<number> {
  const found = await metrics.getSingleMetric(name)?.get();
  return (found?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}

interface Message {
  key: string;
  value: string;
  partition: number;
  headers?: { [name: string]: string };
}

/** Topics, a group and a producer of a test's own. */
async function makeWorld() {
  const { unique } = useStack();
  const name = unique('sink');
  const topics = [unique('first'), unique('second')];
  const groupId = `${config.kafka.groupPrefix}-${name}`;
  await makeTopics(config.kafka, topics, PARTITIONS);
  const producer = createKafka(config.kafka, 'test-producer', log).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    transactionalId: unique('test'),
  });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const sent: string[] = [];
  const send = async (messages: readonly Message[], topic = topics[0] ?? '') => {
    // Transactions, as in the pipeline: their markers take offsets that no consumer sees.
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [...messages] });
    await transaction.commit();
  };
  return {
    name,
    topics,
    sent,
    send,
    async produce(count: number) {
      for (const topic of topics) {
        const messages = Array.from({ length: count / 2 }, () => {
          const n = sent.length;
          sent.push(`${n % PARTITIONS}:${topic}:${n}`);
          return { key: 'k', value: sent.at(-1) ?? '', partition: n % PARTITIONS };
        });
        await send(messages, topic);
      }
    },
    run: (sink: MemorySink, overrides: Partial<Parameters<typeof runSink<string>>[0]> = {}) =>
      startRunner(name, topics, sink, overrides),
    committed: () =>
      withAdmin(config.kafka, async (admin) =>
        (await admin.fetchOffsets({ groupId, topics })).flatMap(({ partitions }) => partitions),
      ),
    lag: () => lagOf(groupId, topics),
    deadLetters: () => deadLettersOf(name),
  };
}

async function startRunner(
  name: string,
  topics: readonly string[],
  sink: MemorySink,
  overrides: Partial<Parameters<typeof runSink<string>>[0]>,
): Promise<RunningSink> {
  const runner = await runSink<string>({
    kafka: config.kafka,
    deadLetterPartitions: config.topics.deadLetterPartitions,
    codec: new Codec(useStack().registry),
    name,
    topics,
    laneOf: (_topic, partition) => `lane-${partition}`,
    reader: {
      load: async () => {},
      read: (_topic, value) => {
        const text = value.toString();
        if (text.startsWith('broken')) throw new CodecError('VALUE_UNREADABLE', 'broken');
        return text;
      },
    },
    sink,
    concurrency: 2,
    batchRows: 50,
    batchBytes: 1_000_000,
    flushMs: 50,
    metrics: createMetrics('test'),
    log,
    ...overrides,
  });
  onTestFinished(() => runner.stop());
  return runner;
}

/** End of the log minus committed offset, over all partitions: markers count, so 0 says that they are committed too. */
function lagOf(groupId: string, topics: readonly string[]): Promise<number> {
  return withAdmin(config.kafka, async (admin) => {
    let lag = 0;
    for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics: [...topics] })) {
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        const offset = Number(partitions.find((p) => p.partition === partition)?.offset ?? 0);
        lag += Number(high) - Math.max(0, offset);
      }
    }
    return lag;
  });
}

async function deadLettersOf(stage: string): Promise<DeadLetter[]> {
  const decoder = new Codec(useStack().registry).decoder<DeadLetter>('deadLetter');
  const letters: DeadLetter[] = [];
  await readTopic(config.kafka, {
    topics: [pipelineTopics.deadLetters],
    from: 'beginning',
    onRecord: async ({ value }) => {
      if (!value) return;
      await decoder.load([value]);
      letters.push(decoder.decode(value));
    },
  });
  return letters.filter((letter) => letter.stage === stage);
}

/** Each once, and per topic partition in the order they were sent. */
function expectExactly(sink: MemorySink, sent: readonly string[]): void {
  expect(sink.rows.toSorted()).toEqual(sent.toSorted());
  const lanes = Map.groupBy(sink.rows, (row) => row.slice(0, row.lastIndexOf(':')));
  for (const rows of lanes.values()) {
    const numbers = rows.map((row) => Number(row.slice(row.lastIndexOf(':') + 1)));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
}
