import type { ComponentName, StackOptions } from '../stack.ts';
import { clickhouseContainer } from './clickhouse.ts';
import type { Engine } from './engine.ts';
import { kafkaContainer } from './kafka.ts';
import { registryContainer } from './registry.ts';
import type { ContainerSpec } from './spec.ts';

export const COMPONENTS = ['kafka', 'registry', 'clickhouse'] as const satisfies readonly ComponentName[];
export const PORT_NAMES = ['kafka', 'kafkaProxied', 'registry', 'clickhouse'] as const;
export type Ports = Readonly<Record<(typeof PORT_NAMES)[number], number>>;

export function specOf(
  name: ComponentName,
  image: string,
  { host }: Engine,
  ports: Ports,
  { advertise }: Pick<StackOptions, 'advertise'>,
): ContainerSpec {
  switch (name) {
    case 'kafka': {
      const proxied = advertise && { port: ports.kafkaProxied, advertised: advertise.kafka };
      return kafkaContainer({ image, host, port: ports.kafka, proxied });
    }
    case 'registry':
      return registryContainer(image, host, ports.registry);
    case 'clickhouse':
      return clickhouseContainer(image, host, ports.clickhouse);
  }
}
