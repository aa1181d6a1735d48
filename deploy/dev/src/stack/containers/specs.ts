import { brokerPorts, isBroker, nodeIdOf, portName } from '../brokers.ts';
import type { Quorum } from '../quorum.ts';
import type { BrokerName, ComponentName, PortName, StackOptions } from '../stack.ts';
import { clickhouseContainer } from './clickhouse.ts';
import type { Engine } from './engine.ts';
import { kafkaContainer } from './kafka.ts';
import { registryContainer } from './registry.ts';
import type { ContainerSpec } from './spec.ts';

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
