const MIB = 1024 * 1024;

export interface BrokerListener {
  readonly name: string;
  /** host:port that it binds. */
  readonly bind: string;
  /** host:port that its clients are told. */
  readonly advertised: string;
}

export interface BrokerOptions {
  readonly listeners: readonly BrokerListener[];
  /** Listener for what the broker says to itself (transaction markers): past any proxy, as between the brokers of a cluster. */
  readonly interBroker: string;
  /** host:port of the controller, which is the broker itself. */
  readonly controller: string;
  readonly logDir: string;
}

export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * Broker and controller in one node, as keys of server.properties. A fixed voter list, not a dynamic quorum: that would
 * keep the controller's port in its log, and the port may be another one at the next start.
 */
export function brokerSettings({
  listeners,
  interBroker,
  controller,
  logDir,
}: BrokerOptions): BrokerSettings {
  const protocols = [...listeners.map(({ name }) => name), 'CONTROLLER'];
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners.map(({ name, bind }) => `${name}://${bind}`), `CONTROLLER://${controller}`].join(
      ',',
    ),
    'advertised.listeners': [
      ...listeners.map(({ name, advertised }) => `${name}://${advertised}`),
      `CONTROLLER://${controller}`,
    ].join(','),
    'listener.security.protocol.map': protocols.map((name) => `${name}:PLAINTEXT`).join(','),
    'inter.broker.listener.name': interBroker,
    'log.dirs': logDir,
    ...ONE_SMALL_BROKER,
  };
}

const ONE_SMALL_BROKER: BrokerSettings = {
  'auto.create.topics.enable': false,
  // One node holds every replica, and a few partitions of the internal topics are plenty and quick to load.
  'default.replication.factor': 1,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 4,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'share.coordinator.state.topic.num.partitions': 1,
  // A lone consumer need not wait for others, and a killed one may be given up soon.
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1_000,
  // Topics allow up to 4 MiB a record batch; what moves batches must let them through.
  'message.max.bytes': 4 * MIB,
  'replica.fetch.max.bytes': 8 * MIB,
  'socket.request.max.bytes': 100 * MIB,
  // A broker that was killed is let in again only when its former session has ended: by default after 9 s.
  'broker.session.timeout.ms': 4_000,
  'broker.heartbeat.interval.ms': 1_000,
  'num.network.threads': 2,
  'num.io.threads': 4,
  // The default takes a third of this heap before the first record.
  'log.cleaner.dedupe.buffer.size': 32 * MIB,
};
