import { portName } from '../brokers.ts';
import { REGISTRY_API } from '../registry-settings.ts';
import type { BrokerName, StackAddresses } from '../stack.ts';
import { CLICKHOUSE_INSIDE } from './clickhouse.ts';
import { kafkaInside } from './kafka.ts';
import { REGISTRY_INSIDE } from './registry.ts';
import type { Ports } from './specs.ts';

/** For containers of the stack's network. */
export function addressesInside(brokers: readonly BrokerName[]): StackAddresses {
  return {
    kafka: { brokers: brokers.map(kafkaInside) },
    registry: { url: REGISTRY_INSIDE },
    clickhouse: { url: CLICKHOUSE_INSIDE },
  };
}

/** For everybody else, by the published ports. */
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
