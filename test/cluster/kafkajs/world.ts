import { setTimeout as pause } from 'node:timers/promises';
import { createBrokers, createKafka, type KafkaSettings, silentLog } from '@email-events/core';
import { readPartition } from '@email-events/core/testing';
import type { Admin } from 'kafkajs';
import { unique } from '../../harness/isolation.ts';
import type { TestScope } from '../../harness/stack.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { KafkaProxies } from '../kafka-proxy.ts';

/** Brokers, and a proxy before each of them through which the clients under test come. */
export interface World {
  readonly cluster: Cluster;
  readonly proxies: KafkaProxies;
  /** Through the proxies. */
  readonly settings: KafkaSettings;
  /** Past them. */
  readonly direct: KafkaSettings;
}

export async function startWorld(scope: TestScope, brokers = 3): Promise<World> {
  let cluster: Cluster | undefined;
  const target = (broker: number) => cluster?.stack.proxied?.kafka[broker - 1] ?? 0;
  const proxies = await KafkaProxies.start(brokers, target);
  scope.onTestFinished(() => proxies.stop());
  cluster = await startCluster(scope, { brokers, advertise: { kafka: proxies.ports } });
  const direct = cluster.settings;
  return { cluster, proxies, direct, settings: { ...direct, brokers: proxies.addresses } };
}

/** Makes a topic whose name begins so and is unique. Partitions are given as replicas, the leader first. */
export async function newTopic(
  { cluster }: World,
  name: string,
  replicas: readonly (readonly number[])[],
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const topic = unique(name);
  await cluster.createTopic(topic, replicas, config);
  return topic;
}

/** Records that end a reading begin with it. */
export const END = 'the end';

/** All that was committed, of each partition the values in order: up to a record that is written now. */
export async function readAll({ direct }: World, topic: string, partitions = 1): Promise<string[][]> {
  const producer = createKafka(direct, 'end', silentLog).producer({ createPartitioner: () => placed });
  await producer.connect();
  // Of each reading its own: there may have been others.
  const end = unique(END);
  const ends = Array.from({ length: partitions }, (_, partition) => ({ partition, value: end }));
  await producer.send({ topic, acks: -1, messages: ends });
  await producer.disconnect();
  const brokers = createBrokers(direct, 'all', silentLog);
  try {
    return await Promise.all(
      ends.map(async ({ partition }) => {
        const values: string[] = [];
        const { requestTimeoutMs } = direct;
        const onRecords = (records: readonly { readonly value: Buffer | null }[]) => {
          values.push(...records.map(({ value }) => String(value)));
          return values.includes(end);
        };
        const read = { topic, partition, fromOffset: 0, onRecords, idleMs: 20_000, requestTimeoutMs };
        await readPartition(brokers, read);
        return values.filter((value) => !value.startsWith(END));
      }),
    );
  } finally {
    brokers.close();
  }
}

/** A partitioner for messages that say where they belong. */
export const placed = ({ message }: { message: { partition?: number } }) => message.partition ?? 0;

export async function withAdminOf<T>(
  settings: KafkaSettings,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = createKafka(settings, 'admin', silentLog).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Something that a proxy waits for, but not for ever: what it holds up would hang, and the failure would not be seen. */
export function signal(deadlineMs = 15_000): { readonly reached: Promise<unknown>; reach(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = pause(deadlineMs, undefined, { ref: false });
  return { reached: Promise.race([promise, late]), reach: () => resolve() };
}
