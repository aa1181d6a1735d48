import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokerPorts, clusterId, isBroker, nodeIdOf, portName, type Quorum } from '../brokers.ts';
import { clickhouseAnswers, kafkaAnswers, registryAnswers } from '../probes.ts';
import { type BrokerListener, brokerSettings, REGISTRY_API, registrySettings } from '../settings.ts';
import type { BrokerName, ComponentName, PortName, StackAddresses, StackOptions } from '../stack.ts';
import { STACK_FILES } from '../versions.ts';
import type { Engine } from './engine.ts';

/** Beside the brokers. */
export const OTHERS = ['registry', 'clickhouse'] as const satisfies readonly ComponentName[];
export type Ports = Readonly<Record<PortName, number>>;

export interface SpecOptions extends Pick<StackOptions, 'advertise'> {
  readonly image: string;
  readonly engine: Engine;
  readonly ports: Ports;
  /** All of the stack. */
  readonly brokers: readonly BrokerName[];
  readonly quorum: Quorum;
  /** Folder of this machine with the component's data. */
  readonly dataDir: string;
}

/** Of what is published. */
export function portNames(components: readonly ComponentName[]): PortName[] {
  return components.flatMap((name) =>
    isBroker(name) ? brokerPorts(['kafka', 'kafkaProxied'], [name]) : [name],
  );
}

export function specOf(name: ComponentName, options: SpecOptions): ContainerSpec {
  const { image, engine, ports, advertise, brokers, dataDir, quorum } = options;
  const { host } = engine;
  if (name === 'registry') return registryContainer(image, host, ports.registry);
  if (name === 'clickhouse') return clickhouseContainer(image, host, ports.clickhouse);
  const advertised = advertise?.kafka[nodeIdOf(name) - 1];
  const proxied =
    advertised === undefined ? undefined : { port: ports[portName('kafkaProxied', name)], advertised };
  const port = ports[portName('kafka', name)];
  return kafkaContainer({ name, brokers, image, host, port, proxied, dataDir, quorum });
}

/** One container of the stack: what it is made of and how to tell that it works. */
export interface ContainerSpec {
  /** Also its host name in the stack's network. */
  readonly name: ComponentName;
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  readonly publish: readonly PublishedPort[];
  /** Folder in the container where the component keeps its data. */
  readonly dataFolder: string;
  /** Files of this checkout that it gets: path here, path there. */
  readonly copy: readonly { readonly source: string; readonly target: string }[];
  /** Whether it answers a real request now. Asked again and again until it does. */
  answers(): Promise<boolean>;
  readonly startDeadlineMs: number;
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly stopDeadlineMs: number;
  /** Called with each SIGTERM. The answer says whether waiting any longer leads to nothing, so that it is killed then. */
  ending?(): () => Promise<boolean>;
}

export interface PublishedPort {
  readonly container: number;
  readonly host: number;
}

/** Names that a setting has as a variable: `offsets.topic.num.partitions` is `OFFSETS_TOPIC_NUM_PARTITIONS`. */
export function variablesOf(
  settings: Readonly<Record<string, string | number | boolean>>,
  prefix = '',
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `${prefix}${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`,
      String(value),
    ]),
  );
}

/** Changes with anything that makes the container another one. `imageId`: a name may come to stand for another image. */
export function keyOf(spec: ContainerSpec, imageId: string): string {
  const hash = createHash('sha256').update(JSON.stringify([spec, imageId]));
  for (const { source } of spec.copy) hash.update(createHash('sha256').update(readFileSync(source)).digest());
  return hash.digest('hex').slice(0, 16);
}

const KAFKA_DATA = '/var/lib/kafka/data';
const HOST_PORT = 9092;
const CONTROLLER_PORT = 9093;
const PROXIED_PORT = 9094;
const INSIDE_PORT = 19_092;

const JVM = '-XX:+UseSerialGC -XX:TieredStopAtLevel=1';
/** A container may have another address when it comes back, and Java would keep the former one for half a minute. */
const FORGET_ADDRESSES = '-Dsun.net.inetaddr.ttl=1';

/** Where containers of the stack's network find a broker. */
const kafkaInside = (broker: BrokerName) => `${broker}:${INSIDE_PORT}`;

interface KafkaContainerOptions {
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
function kafkaContainer(options: KafkaContainerOptions): ContainerSpec {
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
    logDir: KAFKA_DATA,
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
    dataFolder: KAFKA_DATA,
    copy: [],
    answers: () => kafkaAnswers(host, port, nodeId),
    startDeadlineMs: 90_000,
    stopDeadlineMs: 20_000,
    ending: () => quorum.ending(dataDir, () => kafkaAnswers(host, port)),
  };
}

const REGISTRY_DATA = '/var/lib/registry';
const REGISTRY_PORT = 8080;

/** Where containers of the stack's network find the Confluent-compatible API. */
const REGISTRY_INSIDE = `http://registry:${REGISTRY_PORT}${REGISTRY_API}`;

function registryContainer(image: string, host: string, port: number): ContainerSpec {
  const url = `http://${host}:${port}${REGISTRY_API}`;
  return {
    name: 'registry',
    image,
    env: {
      ...variablesOf(registrySettings(`${REGISTRY_DATA}/registry`)),
      JAVA_OPTS_APPEND: '-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1',
    },
    publish: [{ container: REGISTRY_PORT, host: port }],
    dataFolder: REGISTRY_DATA,
    copy: [],
    answers: () => registryAnswers({ url }),
    startDeadlineMs: 120_000,
    stopDeadlineMs: 20_000,
  };
}

const CLICKHOUSE_DATA = '/var/lib/clickhouse';
const CLICKHOUSE_SETTINGS = '/etc/clickhouse-server';
const CLICKHOUSE_PORT = 8123;

/** Where containers of the stack's network find the HTTP interface. */
const CLICKHOUSE_INSIDE = `http://clickhouse:${CLICKHOUSE_PORT}`;

function clickhouseContainer(image: string, host: string, port: number): ContainerSpec {
  const url = `http://${host}:${port}`;
  const settings = ['config.d/email-events.xml', 'users.d/email-events.xml', 'users.d/analyst.xml'];
  return {
    name: 'clickhouse',
    image,
    // Else its user `default`, which has no password, would be let in from inside the container only.
    env: { CLICKHOUSE_SKIP_USER_SETUP: '1' },
    publish: [{ container: CLICKHOUSE_PORT, host: port }],
    dataFolder: CLICKHOUSE_DATA,
    copy: settings.map((name) => ({
      source: join(STACK_FILES, 'clickhouse', name),
      target: `${CLICKHOUSE_SETTINGS}/${name}`,
    })),
    answers: () => clickhouseAnswers({ url }),
    startDeadlineMs: 90_000,
    stopDeadlineMs: 15_000,
  };
}

/** For containers of the stack's network. */
export function addressesInside(brokers: readonly BrokerName[]): StackAddresses {
  return {
    kafka: { brokers: brokers.map(kafkaInside) },
    registry: { url: REGISTRY_INSIDE },
    clickhouse: { url: CLICKHOUSE_INSIDE },
  };
}

/** For clients outside that network, by the published ports. */
export function addressesOutside(host: string, ports: Ports, brokers: readonly BrokerName[]): StackAddresses {
  return {
    kafka: brokersOutside(host, ports, brokers),
    registry: { url: `http://${host}:${ports.registry}${REGISTRY_API}` },
    clickhouse: { url: `http://${host}:${ports.clickhouse}` },
  };
}

export function brokersOutside(host: string, ports: Ports, brokers: readonly BrokerName[]) {
  return { brokers: brokers.map((broker) => `${host}:${ports[portName('kafka', broker)]}`) };
}
