import { setTimeout as delay } from 'node:timers/promises';
import { consumerGroups, servicesOf } from '@email-events/cli/services';
import type { Component } from '@email-events/dev/stack';
import { topics } from '@email-events/schemas';
import { Cluster } from '../cluster/cluster.ts';
import type { TcpProxy } from '../harness/tcp-proxy.ts';
import type { BrokerRole } from './targets.ts';
import type { World } from './world.ts';

/** Several brokers and what they agree upon. Brokers count from 0. */
export interface Brokers {
  readonly count: number;
  component(broker: number): Component;
  proxy(broker: number): TcpProxy;
  /** How much later each byte to and from it comes all the time. Milliseconds. */
  delayOf(broker: number): number;
  /** Who has this role now: `which` chooses among several partitions, groups or transactions. */
  find(role: BrokerRole, which: number): Promise<number>;
  /** Resolves when every replica of every partition is in sync, and the cluster has a controller. */
  inSync(): Promise<void>;
  /** Makes other replicas of the hot topics the preferred ones, and lets them become leaders. */
  electOthers(which: number): Promise<void>;
  /** Takes a replica of every partition of one hot topic away. Returns what gives it back. */
  takeReplicas(which: number): Promise<() => Promise<void>>;
}

const IN_SYNC_MS = 120_000;
/** Each answer is the state of every partition by every broker, and they have other work. */
const POLL_MS = 250;

/** Topics that every event, or every transaction of it, goes through. */
const HOT = [topics.raw, topics.normalized, topics.seen, topics.events('delivered')] as const;
/** The leaders of these topics' partitions coordinate groups and transactions. */
const OF_COORDINATORS = ['__consumer_offsets', '__transaction_state'] as const;

/** The brokers of a world. `delays`: how late the answers of each are all the time, by broker from 0. */
export function severalBrokers(world: World, delays: ReadonlyMap<number, number> = new Map()): Brokers {
  const cluster = new Cluster(world.stack);
  const proxies = world.proxies.brokers;
  const proxy = (broker: number) => at(proxies, broker);
  return {
    count: proxies.length,
    proxy,
    component: (broker) => cluster.broker(broker + 1),
    delayOf: (broker) => (delays.get(broker) ?? 0) / 2,
    find: async (role, which) => (await nodeOf(cluster, world, role, which)) - 1,
    inSync: () => inSync(cluster),
    async electOthers(which) {
      for (const topic of [chosen(HOT, which), chosen(OF_COORDINATORS, which)]) {
        const partitions = await cluster.partitionsOf(topic);
        for (const { partitionId, replicas } of partitions) {
          await cluster.movePreferred(topic, partitionId, [...replicas.slice(1), ...replicas.slice(0, 1)]);
        }
        await cluster.electPreferred(
          topic,
          partitions.map(({ partitionId }) => partitionId),
        );
      }
    },
    async takeReplicas(which) {
      const topic = chosen(HOT, which);
      const before = await cluster.partitionsOf(topic);
      for (const { partitionId, leader, replicas } of before) {
        const others = replicas.filter((node) => node !== leader);
        await cluster.movePreferred(topic, partitionId, others);
      }
      return async () => {
        for (const { partitionId, replicas } of before) {
          await cluster.movePreferred(topic, partitionId, replicas);
        }
        await cluster.electPreferred(
          topic,
          before.map(({ partitionId }) => partitionId),
        );
      };
    },
  };
}

/** Node ids count from 1. */
async function nodeOf(cluster: Cluster, world: World, role: BrokerRole, which: number): Promise<number> {
  switch (role) {
    case 'leader':
      return chosen(await cluster.leadersOf(chosen(HOT, which)), which);
    case 'group-coordinator': {
      const groups = consumerGroups(world.direct, servicesOf(world.direct)).map(({ group }) => group);
      return cluster.coordinatorOf({ groupId: chosen(groups, which) });
    }
    case 'transaction-coordinator':
      // Their ids are the business of those who open them; each partition coordinates some.
      return chosen(await cluster.leadersOf('__transaction_state'), which);
    case 'controller':
      return cluster.controllerId();
    case 'broker':
      return (which % world.proxies.brokers.length) + 1;
    default:
      return role satisfies never;
  }
}

async function inSync(cluster: Cluster): Promise<void> {
  const deadline = performance.now() + IN_SYNC_MS;
  for (;;) {
    try {
      return await cluster.awaitInSync(1);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(POLL_MS);
  }
}

const chosen = <T>(of: readonly T[], which: number): T => at(of, which % Math.max(1, of.length));

function at<T>(of: readonly T[], index: number): T {
  const found = of[index];
  if (found === undefined) throw new Error(`there is no number ${index} of ${of.length}`);
  return found;
}
