import type { Component } from '@email-events/dev/stack';
import type { TcpProxy } from '../harness/tcp-proxy.ts';
import type { BrokerRole } from './targets.ts';

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
