import { createServer } from 'node:net';
import { pipelineConfig, type ServiceName, services } from '@email-events/cli/services';
import { defaultAt } from '@email-events/core/config';
import type { ServiceDescriptor } from '@email-events/core/service';
import { anyPorts, StackError } from '../stack/index.ts';

const OF_COMPONENTS = {
  registry: 8081,
  registryManagement: 8082,
  receiver: 8090,
  clickhouse: 8123,
  kafka: 9092,
  kafkaController: 9093,
} as const;

/** `sink-crm` is `sinkCrm` here. */
type Camel<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Name;
const camel = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** Has a port beside its admin port. */
type Public = Extract<ServiceName, 'ingress' | 'lookup'>;

export type PortName = keyof typeof OF_COMPONENTS | Camel<Public> | `${Camel<ServiceName>}Admin`;

/** Where the ports of services are configured. Those of the components are not part of the pipeline's configuration. */
export const PORT_PATHS = Object.fromEntries(
  services.flatMap(({ name, section, ports }: ServiceDescriptor) => [
    ...(ports?.port === undefined ? [] : [[camel(name), `${section}.port`]]),
    [`${camel(name)}Admin`, `${section}.adminPort`],
  ]),
) as { readonly [name in PortName]?: string };

/** The usual port of everything that listens. */
export const USUAL_PORTS = {
  ...OF_COMPONENTS,
  ...Object.fromEntries(
    Object.entries(PORT_PATHS).map(([name, path]) => [name, defaultAt(pipelineConfig.schema.json, path)]),
  ),
} as { readonly [name in PortName]: number };

export type LocalPorts = { readonly [name in PortName]: number };

export interface PortWishes {
  /** Configured: this one or an error. */
  readonly fixed?: { readonly [name in PortName]?: number | undefined };
  /** Any free ones in place of the usual ones: for several pipelines on one machine. */
  readonly any?: boolean;
}

const TRIES = 100;

/**
 * One port for each name, all different: the configured one, else the usual one, else the next free one above it.
 * @throws StackError STACK_PORT_TAKEN
 */
export async function chooseLocalPorts(
  { fixed = {}, any = false }: PortWishes,
  isFree: (port: number) => Promise<boolean> = canListen,
  random: () => number = Math.random,
): Promise<LocalPorts> {
  const names = Object.keys(USUAL_PORTS) as PortName[];
  const taken = new Set(Object.values(fixed).filter((port) => port !== undefined));
  const chosen = new Map<PortName, number>();
  for (const name of names) {
    const configured = fixed[name];
    if (configured !== undefined) {
      if (!(await isFree(configured))) throw portTaken(name, configured);
      chosen.set(name, configured);
      continue;
    }
    const from = any ? anyPort(random) : USUAL_PORTS[name];
    const port = await nextFree(name, from, taken, isFree);
    taken.add(port);
    chosen.set(name, port);
  }
  return Object.fromEntries(chosen) as LocalPorts;
}

function anyPort(random: () => number): number {
  const { first, last } = anyPorts();
  // With room for the next free one above it.
  return first + Math.floor(random() * Math.max(1, last - TRIES - first));
}

/** Names of the ports that are neither configured nor usual, for telling people. */
export function movedPorts(ports: LocalPorts, { fixed = {} }: PortWishes): PortName[] {
  const names = Object.keys(USUAL_PORTS) as PortName[];
  return names.filter((name) => fixed[name] === undefined && ports[name] !== USUAL_PORTS[name]);
}

async function nextFree(
  name: PortName,
  from: number,
  taken: ReadonlySet<number>,
  isFree: (port: number) => Promise<boolean>,
): Promise<number> {
  const usual: readonly number[] = Object.values(USUAL_PORTS);
  for (let port = from; port < from + TRIES; port++) {
    // The usual port of something else is left to it.
    const othersOwn = port !== USUAL_PORTS[name] && usual.includes(port);
    if (!othersOwn && !taken.has(port) && (await isFree(port))) return port;
  }
  throw portTaken(name, from);
}

function portTaken(name: PortName, port: number): StackError {
  return new StackError(
    'STACK_PORT_TAKEN',
    `port ${port} for ${name} is in use: stop the other program or configure another port`,
  );
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
