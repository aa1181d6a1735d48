import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafka, type KafkaSettings, Secret, silentLog, withAdmin } from '@email-events/core';
import {
  type Component,
  createProvider,
  isBroker,
  type KafkaStack,
  type Stack,
  type StackAddresses,
  type StackOptions,
  type StackProvider,
  selectBreakable,
} from '@email-events/dev/stack';
import type { ClickHouseAddress } from '@email-events/sink-clickhouse';
import { inject } from 'vitest';
import { forgetAddresses, unique, uniqueDatabase } from './isolation.ts';
import { removePipelineTopics } from './sweep.ts';
import { waitFor } from './wait.ts';

export { waitFor } from './wait.ts';

export interface SharedStack extends StackAddresses {
  /** A name that no other test uses: for topics, consumer groups, subjects. */
  unique(name: string): string;
  /** The same, fit for a ClickHouse database. */
  uniqueDatabase(name: string): string;
  /** Where that database is, for a test that connects to it directly. */
  clickhouseAt(database: string): ClickHouseAddress;
}

/** The stack that the run's set-up started. Tests share it, so they make their own topics, groups and databases. */
export function useStack(): SharedStack {
  const stack = inject('stack');
  const { url, username = 'default', password } = stack.clickhouse;
  const secret = password === undefined ? {} : { password: new Secret(password) };
  const clickhouseAt = (database: string) => ({ url, username, database, ...secret });
  return { ...stack, unique, uniqueDatabase, clickhouseAt };
}

/** The part of vitest's test context that a test needs to clean up afterwards. */
export interface TestScope {
  onTestFinished(clean: () => Promise<void>): void;
}

/** A scope that outlives a test: for what a whole file shares. Call `end` after all of them. */
export function fileScope(): { readonly scope: TestScope; end(): Promise<void> } {
  const cleaners: (() => Promise<void>)[] = [];
  return {
    scope: { onTestFinished: (clean) => void cleaners.push(clean) },
    async end() {
      const failures: unknown[] = [];
      // One that fails keeps nothing else from being cleaned up.
      for (const clean of cleaners.reverse()) await clean().catch((error) => void failures.push(error));
      if (failures.length > 0) throw failures[0];
    },
  };
}

/**
 * The shared stack without the topics and subjects of the pipeline, for tests that make them: their names are fixed.
 * Files run one after the other, so no other test is at work there. Groups and databases can have names of their own, and
 * must, since what they hold would be of an earlier test. Topics and subjects are removed when the test is finished.
 */
export async function vacantStack(test: TestScope): Promise<SharedStack> {
  const stack = useStack();
  await removePipelineTopics(stack);
  test.onTestFinished(() => removePipelineTopics(stack));
  return stack;
}

/**
 * A stack of the test's own on fresh data, for tests that break components or put a proxy before the broker. Stopped and
 * removed when the test is finished. Someone else's components cannot be broken: these are local ones then.
 */
export function startOwnStack(
  test: TestScope,
  options: Pick<StackOptions, 'advertise' | 'brokers' | 'secured'> = {},
): Promise<Stack> {
  const start = (provider: StackProvider, dataDir: string) => provider.start({ ...options, dataDir });
  return options.secured ? startOwn(test, start, 'local') : startOwn(test, start);
}

/** The same for tests that need Kafka alone: registry and ClickHouse would take most of the time that it takes. */
export function startOwnKafka(
  test: TestScope,
  options: Pick<StackOptions, 'advertise' | 'brokers' | 'secured'> = {},
): Promise<KafkaStack> {
  return startOwn(test, (provider, dataDir) => provider.startKafka({ ...options, dataDir }));
}

async function startOwn<T extends Pick<Stack, 'stop'>>(
  test: TestScope,
  start: (provider: StackProvider, dataDir: string) => Promise<T>,
  kind = selectBreakable(process.env),
): Promise<T> {
  forgetAddresses();
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-own-'));
  let stack: T | undefined;
  test.onTestFinished(async () => {
    await stack?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  stack = await start(createProvider(kind, process.env), dataDir);
  return stack;
}

/** Makes topics, each with so many partitions. Resolves when records can be sent to them. */
export async function makeTopics(
  settings: KafkaSettings,
  names: readonly string[],
  partitions = 1,
): Promise<void> {
  await withAdmin(settings, async (admin) => {
    // kafkajs's own wait takes a broker that has not heard of the topic yet for a failure.
    const topics = names.map((topic) => ({ topic, numPartitions: partitions }));
    await admin.createTopics({ topics, waitForLeaders: false });
    await waitFor('the topics have leaders', async () => {
      const found = await admin.fetchTopicMetadata({ topics: [...names] });
      return found.topics.every((topic) => topic.partitions.length === partitions);
    });
  });
}

interface PartitionOffset {
  readonly partition: number;
  readonly offset: string;
}

/**
 * Commits offsets of a group that has no members. By a transaction, since kafkajs's admin client would join the group
 * for it and now and then never comes back.
 */
export async function commitOffsets(
  settings: KafkaSettings,
  groupId: string,
  topic: string,
  partitions: readonly PartitionOffset[],
): Promise<void> {
  // The first group of a new broker makes its coordinator.
  await waitFor('the offsets are taken', async () => {
    const producer = createKafka(settings, 'test-offsets', silentLog).producer({
      transactionalId: `offsets-${randomUUID()}`,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    try {
      const transaction = await producer.transaction();
      await transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic, partitions: [...partitions] }],
      });
      await transaction.commit();
      return true;
    } finally {
      await producer.disconnect();
    }
  });
  // The commit is answered before the coordinator of the group has it.
  await waitFor('the offsets are committed', () =>
    withAdmin(settings, async (admin) => {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return partitions.every(({ partition, offset }) =>
        found?.partitions.some((entry) => entry.partition === partition && entry.offset === offset),
      );
    }),
  );
}

/** Every broker at once, for tests of what happens while there is no Kafka at all, however many brokers it has. */
export function wholeKafka({
  components,
}: Pick<Stack, 'components'>): Pick<Component, 'start' | 'stop' | 'kill' | 'pause' | 'resume'> {
  // Together: one broker of several does not start alone, nor do all of them end in order one after the other.
  const each = (how: (broker: Component) => Promise<void>) => async () => {
    await Promise.all(components.filter(({ name }) => isBroker(name)).map(how));
  };
  return {
    start: each((broker) => broker.start()),
    stop: each((broker) => broker.stop()),
    kill: each((broker) => broker.kill()),
    pause: each((broker) => broker.pause()),
    resume: each((broker) => broker.resume()),
  };
}
