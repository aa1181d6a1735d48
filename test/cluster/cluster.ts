import { commonConfig, type KafkaSettings } from '@email-events/core';
import {
  type Component,
  isBroker,
  type KafkaStack,
  nodeIdOf,
  type StackOptions,
} from '@email-events/dev/stack';
import { startOwnKafka, type TestScope } from '../harness/stack.ts';
import { waitFor } from '../harness/wait.ts';
import * as requests from './wire.ts';
import { ask, type Exchange } from './wire.ts';

const DEADLINE_MS = 60_000;
/** Partitions of both internal topics of coordinators, on several brokers. */
const COORDINATOR_PARTITIONS = 6;

/** Whose coordinator. */
export type Coordinated = { readonly groupId: string } | { readonly transactionalId: string };

/**
 * Brokers of a test's own and nothing else, on fresh data; three of them if it does not say. Stopped and removed when the
 * test is finished. `cluster.broker(2).kill()` and so on breaks them.
 */
export async function startCluster(
  test: TestScope,
  options: Pick<StackOptions, 'advertise' | 'brokers'> = {},
): Promise<Cluster> {
  return new Cluster(await startOwnKafka(test, { brokers: 3, ...options }));
}

/**
 * Several brokers and what they agree upon. Brokers are named by their node ids, from 1. A method that waits does so for a
 * condition, and rejects if it does not hold in time.
 */
export class Cluster {
  readonly stack: KafkaStack;

  constructor(stack: KafkaStack) {
    this.stack = stack;
  }

  get brokers(): readonly string[] {
    return this.stack.kafka.brokers;
  }

  /** For clients of core. */
  get settings(): KafkaSettings {
    return commonConfig.parse({ kafka: this.stack.kafka }).kafka;
  }

  broker(nodeId: number): Component {
    const found = this.stack.components.find(({ name }) => isBroker(name) && nodeIdOf(name) === nodeId);
    if (!found) throw new Error(`there is no broker ${nodeId}`);
    return found;
  }

  addressOf(nodeId: number): string {
    const found = this.brokers[nodeId - 1];
    if (found === undefined) throw new Error(`there is no broker ${nodeId}`);
    return found;
  }

  /** Of those that run now. */
  runningIds(): number[] {
    return this.brokers.map((_, i) => i + 1).filter((nodeId) => this.broker(nodeId).state === 'running');
  }

  /** The partitions of a topic, in order, as one broker, by default any that runs, knows them now. */
  async partitionsOf(topic: string, nodeId?: number): Promise<readonly requests.PartitionState[]> {
    const address = nodeId === undefined ? this.#anyAddress() : this.addressOf(nodeId);
    const { topicMetadata } = await ask(address, requests.metadata());
    const found = topicMetadata.find((of) => of.topic === topic)?.partitionMetadata ?? [];
    return [...found].sort((a, b) => a.partitionId - b.partitionId);
  }

  /** Node id of each partition's leader; -1 where there is none. */
  async leadersOf(topic: string): Promise<number[]> {
    return (await this.partitionsOf(topic)).map(({ leader }) => leader);
  }

  /** Offset behind all that a broker has of a partition: as a follower too, and what is not acknowledged yet as well. */
  async logEndOf(topic: string, partition: number, nodeId: number): Promise<number> {
    const { responses } = await ask(this.addressOf(nodeId), requests.replicaEnd(topic, partition));
    return Number(responses[0]?.partitions[0]?.offset);
  }

  /**
   * Makes a topic. Resolves when every broker that runs knows its leaders, which are the preferred ones.
   * @param replicas node ids for each partition, the preferred leader first
   */
  async createTopic(
    topic: string,
    replicas: readonly (readonly number[])[],
    config: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#askAny(requests.createTopic(topic, replicas, config));
    await this.#everywhere(
      `${topic} is there`,
      topic,
      (partitions) =>
        partitions.length === replicas.length &&
        partitions.every(
          ({ leader, isr }, i) => leader === replicas[i]?.[0] && isr.length === replicas[i]?.length,
        ),
    );
  }

  /** Gives a partition these replicas, in this order; the leader stays as it is if it is one of them. */
  async movePreferred(topic: string, partition: number, replicas: readonly number[]): Promise<void> {
    await this.#askAny(requests.reassign(topic, partition, replicas));
    await waitFor(
      `${topic} is reassigned`,
      async () => (await this.#askAny(requests.reassignments())).topics.every(({ name }) => name !== topic),
      DEADLINE_MS,
    );
    await this.#everywhere(
      `${topic}/${partition} is on ${replicas}`,
      topic,
      (partitions) => String(partitions[partition]?.replicas) === String(replicas),
    );
  }

  /** Makes the preferred replicas leaders. Resolves when every broker that runs knows. */
  async electPreferred(topic: string, partitions: readonly number[]): Promise<void> {
    // A replica that is not in sync yet is refused.
    await waitFor(
      `preferred leaders of ${topic} are elected`,
      async () => {
        await this.#askAny(requests.electPreferred(topic, partitions));
        return true;
      },
      DEADLINE_MS,
    );
    await this.#everywhere(`${topic} is led by its preferred replicas`, topic, (found) =>
      partitions.every((partition) => found[partition]?.leader === found[partition]?.replicas[0]),
    );
  }

  /** Makes a broker that has a replica of the partition its leader, and the preferred one. */
  async moveLeader(topic: string, partition: number, to: number): Promise<void> {
    const { replicas = [] } = (await this.partitionsOf(topic))[partition] ?? {};
    if (!replicas.includes(to)) throw new Error(`${topic}/${partition} is on ${replicas}, not on ${to}`);
    await this.movePreferred(topic, partition, [to, ...replicas.filter((nodeId) => nodeId !== to)]);
    await this.electPreferred(topic, [partition]);
  }

  /** Node id of the broker that coordinates a group or a transactional id; the first question makes the internal topic. */
  async coordinatorOf(of: Coordinated): Promise<number> {
    const exchange =
      'groupId' in of
        ? requests.findCoordinator(of.groupId, 'group')
        : requests.findCoordinator(of.transactionalId, 'transaction');
    return this.#settled('a coordinator', async () => (await this.#askAny(exchange)).coordinator.nodeId);
  }

  /** Makes a broker the coordinator of a group or a transactional id, and of all that share its partition. */
  async moveCoordinator(of: Coordinated, to: number): Promise<void> {
    await this.coordinatorOf(of);
    const [topic, id] =
      'groupId' in of ? ['__consumer_offsets', of.groupId] : ['__transaction_state', of.transactionalId];
    await this.moveLeader(topic, coordinatorPartition(id), to);
    await waitFor(
      `${id} is coordinated by ${to}`,
      async () => (await this.coordinatorOf(of)) === to,
      DEADLINE_MS,
    );
  }

  /** Node id of the active controller. */
  controllerId(): Promise<number> {
    return this.#settled('a controller', () => this.#askAny(requests.activeController()));
  }

  /** Resolves when every broker runs and says that all replicas of all topics, also of internal ones, are in sync. */
  async awaitInSync(deadlineMs = DEADLINE_MS): Promise<void> {
    const whole = (state: requests.Metadata) =>
      state.brokers.length === this.brokers.length &&
      state.topicMetadata
        .flatMap((topic) => topic.partitionMetadata)
        .every(({ leader, replicas, isr }) => leader >= 0 && isr.length === replicas.length);
    await waitFor(
      'all replicas are in sync',
      async () => {
        const states = await Promise.all(this.brokers.map((address) => ask(address, requests.metadata())));
        return states.every(whole);
      },
      deadlineMs,
    );
  }

  #askAny<A>(exchange: Exchange<A>): Promise<A> {
    return ask(this.#anyAddress(), exchange);
  }

  #anyAddress(): string {
    const [first] = this.runningIds();
    if (first === undefined) throw new Error('no broker runs');
    return this.addressOf(first);
  }

  async #settled(what: string, find: () => Promise<number>): Promise<number> {
    let found = -1;
    await waitFor(
      what,
      async () => {
        found = await find();
        return found >= 0;
      },
      DEADLINE_MS,
    );
    return found;
  }

  async #everywhere(
    what: string,
    topic: string,
    holds: (partitions: readonly requests.PartitionState[]) => boolean,
  ): Promise<void> {
    await waitFor(
      `every broker knows: ${what}`,
      async () => {
        const found = await Promise.all(this.runningIds().map((nodeId) => this.partitionsOf(topic, nodeId)));
        return found.every(holds);
      },
      DEADLINE_MS,
    );
  }
}

/** Where Kafka keeps what it knows of a group or a transactional id: by Java's hash of its name. */
function coordinatorPartition(id: string): number {
  let hash = 0;
  for (const unit of id.split('')) hash = (Math.imul(31, hash) + unit.charCodeAt(0)) | 0;
  return Math.abs(hash) % COORDINATOR_PARTITIONS;
}
