const MIB = 1024 * 1024;

export interface BrokerListener {
  readonly name: string;
  /** host:port that it binds. */
  readonly bind: string;
  /** host:port that its clients are told. */
  readonly advertised: string;
  /** Default: PLAINTEXT. */
  readonly protocol?: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
}

export interface BrokerOptions {
  /** From 1 on. */
  readonly nodeId: number;
  readonly listeners: readonly BrokerListener[];
  /** Listener for what the broker says to itself (transaction markers): past any proxy, as between the brokers of a cluster. */
  readonly interBroker: string;
  /** host:port of the controllers, which are the brokers themselves, in order of their node ids. */
  readonly controllers: readonly string[];
  readonly logDir: string;
  /** In place of those that are set here, or beside them. */
  readonly more?: BrokerSettings | undefined;
}

export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * Broker and controller in one node, as keys of server.properties. A fixed voter list, not a dynamic quorum: that would
 * keep the controllers' ports in its log, and the ports may be others at the next start.
 */
export function brokerSettings({
  nodeId,
  listeners,
  interBroker,
  controllers,
  logDir,
  more = {},
}: BrokerOptions): BrokerSettings {
  const controller = controllers[nodeId - 1];
  const protocols = [
    ...listeners.map(({ name, protocol = 'PLAINTEXT' }) => `${name}:${protocol}`),
    'CONTROLLER:PLAINTEXT',
  ];
  return {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    'controller.quorum.voters': controllers.map((address, i) => `${i + 1}@${address}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners.map(({ name, bind }) => `${name}://${bind}`), `CONTROLLER://${controller}`].join(
      ',',
    ),
    'advertised.listeners': [
      ...listeners.map(({ name, advertised }) => `${name}://${advertised}`),
      `CONTROLLER://${controller}`,
    ].join(','),
    'listener.security.protocol.map': protocols.join(','),
    'inter.broker.listener.name': interBroker,
    'log.dirs': logDir,
    ...SMALL_BROKER,
    ...(controllers.length > 1 ? several(controllers.length) : ONE),
    ...more,
  };
}

const SMALL_BROKER: BrokerSettings = {
  'auto.create.topics.enable': false,
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

/** One node holds every replica, and a few partitions of the internal topics are plenty and quick to load. */
const ONE: BrokerSettings = {
  'default.replication.factor': 1,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 4,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
};

/** With these, written records stay available and writable when any one broker is lost. */
function several(count: number): BrokerSettings {
  const replicas = Math.min(3, count);
  const inSync = replicas - 1;
  return {
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 6,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 6,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'controlled.shutdown.enable': true,
    // How often a stopping broker asks the controller for permission: often, so that it asks while there still is a controller when all brokers stop.
    'broker.heartbeat.interval.ms': 250,
    // A broker that comes back gets its partitions again soon, however few of them others lead meanwhile.
    'auto.leader.rebalance.enable': true,
    'leader.imbalance.check.interval.seconds': 30,
    'leader.imbalance.per.broker.percentage': 0,
  };
}

/** Path of the Confluent-compatible API. */
export const REGISTRY_API = '/apis/ccompat/v7';

export type RegistrySettings = Readonly<Record<string, string | number | boolean>>;

/** Apicurio with its data in a file of its embedded database. `dataFile`: without the suffix that H2 adds. */
export function registrySettings(dataFile: string): RegistrySettings {
  return {
    'quarkus.http.access-log.enabled': false,
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    'apicurio.datasource.url': `jdbc:h2:file:${dataFile}`,
    'apicurio.datasource.jdbc.initial-size': 2,
    'apicurio.datasource.jdbc.min-size': 2,
    'apicurio.datasource.jdbc.max-size': 8,
    'apicurio.rules.global.compatibility': 'BACKWARD',
    // Two registrations of one schema written differently are one schema, as with Confluent's server.
    'apicurio.ccompat.use-canonical-hash': true,
  };
}
