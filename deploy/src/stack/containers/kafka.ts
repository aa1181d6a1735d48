import { type BrokerListener, brokerSettings } from '../broker-settings.ts';
import { kafkaAnswers } from '../probes.ts';
import { type ContainerSpec, variablesOf } from './spec.ts';

const DATA = '/var/lib/kafka/data';
// One broker, one cluster: the id only has to be a UUID in Kafka's spelling.
const CLUSTER_ID = 'ZW1haWwtZXZlbnRzLWN0cg';
const HOST_PORT = 9092;
const CONTROLLER_PORT = 9093;
const PROXIED_PORT = 9094;
const INSIDE_PORT = 19_092;

/** Where containers of the stack's network find the broker. */
export const KAFKA_INSIDE = `kafka:${INSIDE_PORT}`;

export interface KafkaContainerOptions {
  readonly image: string;
  /** Where the engine's published ports are reached. */
  readonly host: string;
  readonly port: number;
  /** One more published port, whose clients are told to come to `advertised` on 127.0.0.1. */
  readonly proxied?: { readonly port: number; readonly advertised: number } | undefined;
}

/**
 * The broker tells its clients where to come again, and inside the network that is another address than outside. So
 * there is a listener for each, and it must be known beforehand which port the engine will publish.
 */
export function kafkaContainer({ image, host, port, proxied }: KafkaContainerOptions): ContainerSpec {
  const listener = (name: string, own: number, advertised: string): BrokerListener => ({
    name,
    bind: `0.0.0.0:${own}`,
    advertised,
  });
  const settings = brokerSettings({
    listeners: [
      listener('PLAINTEXT', HOST_PORT, `${host}:${port}`),
      listener('INSIDE', INSIDE_PORT, KAFKA_INSIDE),
      ...(proxied ? [listener('PROXIED', PROXIED_PORT, `127.0.0.1:${proxied.advertised}`)] : []),
    ],
    interBroker: 'INSIDE',
    controller: `localhost:${CONTROLLER_PORT}`,
    logDir: DATA,
  });
  return {
    name: 'kafka',
    image,
    env: {
      ...variablesOf(settings, 'KAFKA_'),
      CLUSTER_ID,
      KAFKA_HEAP_OPTS: '-Xmx384m',
      KAFKA_JVM_PERFORMANCE_OPTS: '-XX:+UseSerialGC -XX:TieredStopAtLevel=1',
    },
    publish: [
      { container: HOST_PORT, host: port },
      ...(proxied ? [{ container: PROXIED_PORT, host: proxied.port }] : []),
    ],
    dataFolder: DATA,
    copy: [],
    answers: () => kafkaAnswers(host, port),
    startDeadlineMs: 90_000,
    stopDeadlineMs: 20_000,
  };
}
