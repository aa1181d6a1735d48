import { REGISTRY_API } from '../registry-settings.ts';
import type { StackAddresses } from '../stack.ts';
import { CLICKHOUSE_INSIDE } from './clickhouse.ts';
import { KAFKA_INSIDE } from './kafka.ts';
import { REGISTRY_INSIDE } from './registry.ts';
import type { Ports } from './specs.ts';

/** For containers of the stack's network. */
export const addressesInside: StackAddresses = {
  kafka: { brokers: [KAFKA_INSIDE] },
  registry: { url: REGISTRY_INSIDE },
  clickhouse: { url: CLICKHOUSE_INSIDE },
};

/** For everybody else, by the published ports. */
export function addressesOutside(host: string, ports: Ports): StackAddresses {
  return {
    kafka: { brokers: [`${host}:${ports.kafka}`] },
    registry: { url: `http://${host}:${ports.registry}${REGISTRY_API}` },
    clickhouse: { url: `http://${host}:${ports.clickhouse}` },
  };
}
