import { type BrokerListener, brokerSettings } from '../broker-settings.ts';
import { clusterId, nodeIdOf } from '../brokers.ts';
import { kafkaAnswers } from '../probes.ts';
import type { Quorum } from '../quorum.ts';
import type { BrokerName } from '../stack.ts';
import { type ContainerSpec, variablesOf } from './spec.ts';

const DATA = '/var/lib/kafka/data';
const HOST_PORT = 9092;
const CONTROLLER_PORT = 9093;
const PROXIED_PORT = 9094;
const INSIDE_PORT = 19_092;

const JVM = '-XX:+UseSerialGC -XX:TieredStopAtLevel=1';
/** A container may have another address when it comes back, and Java would keep the former one for half a minute. */
const FORGET_ADDRESSES = '-Dsun.net.inetaddr.ttl=1';

/** Where containers of the stack's network find a broker. */
export const kafkaInside = (broker: BrokerName) => `${broker}:${INSIDE_PORT}`;

export interface KafkaContainerOptions {
  readonly name: BrokerName;
  /** All of them, in order of their node ids. */
  readonly brokers: readonly BrokerName[];
  readonly image: string;
  /** Where the engine's published ports are reached. */
  readonly host: string;
  readonly port: number;
  /** One more published port, whose clients are told to come to `advertised` on 127.0.0.1. */
  readonly proxied?: { readonly port: number; readonly advertised: number } | undefined;
  /** Folder of this machine with its data. */
  readonly dataDir: string;
  readonly quorum: Quorum;
}

/**
 * The broker tells its clients where to come again, and inside the network that is another address than outside. So
 * there is a listener for each, and it must be known beforehand which port the engine will publish.
 */
export function kafkaContainer(options: KafkaContainerOptions): ContainerSpec {
  const { name, brokers, image, host, port, proxied, dataDir, quorum } = options;
  const alone = brokers.length === 1;
  const nodeId = nodeIdOf(name);
  const listener = (listenerName: string, own: number, advertised: string): BrokerListener => ({
    name: listenerName,
    bind: `0.0.0.0:${own}`,
    advertised,
  });
  const settings = brokerSettings({
    nodeId,
    listeners: [
      listener('PLAINTEXT', HOST_PORT, `${host}:${port}`),
      listener('INSIDE', INSIDE_PORT, kafkaInside(name)),
      ...(proxied ? [listener('PROXIED', PROXIED_PORT, `127.0.0.1:${proxied.advertised}`)] : []),
    ],
    interBroker: 'INSIDE',
    controllers: alone
      ? [`localhost:${CONTROLLER_PORT}`]
      : brokers.map((broker) => `${broker}:${CONTROLLER_PORT}`),
    logDir: DATA,
  });
  return {
    name,
    image,
    env: {
      ...variablesOf(settings, 'KAFKA_'),
      CLUSTER_ID: clusterId('ctr', brokers.length),
      KAFKA_HEAP_OPTS: alone ? '-Xmx384m' : '-Xmx512m',
      KAFKA_JVM_PERFORMANCE_OPTS: alone ? JVM : `${JVM} ${FORGET_ADDRESSES}`,
    },
    publish: [
      { container: HOST_PORT, host: port },
      ...(proxied ? [{ container: PROXIED_PORT, host: proxied.port }] : []),
    ],
    dataFolder: DATA,
    copy: [],
    answers: () => kafkaAnswers(host, port, nodeId),
    startDeadlineMs: 90_000,
    stopDeadlineMs: 20_000,
    ending: () => quorum.ending(dataDir, () => kafkaAnswers(host, port)),
  };
}
