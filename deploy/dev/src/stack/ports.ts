import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StackError } from './errors.ts';

/** Ports from the first one up to before the last one. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

// Below the range from which Linux and macOS take the local ports of outgoing connections, so that a port
// that was free when it was chosen is still free when the component binds it a moment later.
const ANY: PortRange = { first: 20_000, last: 32_000 };
const ATTEMPTS = 200;

/**
 * Where ports are taken from that may be any: what STACK_PORTS says, as `20000-26000`. Two programs that start much at the same time
 * get a range each: what one has chosen and not bound yet the other cannot see.
 * @throws StackError STACK_PORTS_INVALID
 */
export function anyPorts(env: Readonly<Record<string, string | undefined>> = process.env): PortRange {
  const text = env.STACK_PORTS;
  if (text === undefined || text === '') return ANY;
  const [, first, last] = /^(\d{4,5})-(\d{4,5})$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  if (range.first >= 1_024 && range.last <= 65_535 && range.last - range.first >= 100) return range;
  throw new StackError(
    'STACK_PORTS_INVALID',
    `STACK_PORTS=${text}: must be FIRST-LAST, a hundred ports or more, from 1024`,
  );
}

export interface PortRequest {
  /** Exactly this one, or an error. */
  readonly fixed?: number | undefined;
  /** This one if it is free. */
  readonly preferred?: number | undefined;
}

export interface PortProbe {
  isFree(port: number): Promise<boolean>;
  random(): number;
}

const realProbe: PortProbe = {
  isFree: canListen,
  random: () => {
    const { first, last } = anyPorts();
    return randomInt(first, last);
  },
};

/**
 * One port for each name, all different.
 * @throws StackError STACK_PORT_TAKEN for a fixed port in use, or given twice
 */
export async function choosePorts<N extends string>(
  requests: Readonly<Record<N, PortRequest>>,
  probe: PortProbe = realProbe,
): Promise<Record<N, number>> {
  const names = Object.keys(requests) as N[];
  const chosen = new Map<N, number>();
  const taken = new Set<number>();
  const take = (name: N, port: number) => {
    chosen.set(name, port);
    taken.add(port);
  };
  for (const name of names) {
    const { fixed } = requests[name];
    if (fixed === undefined) continue;
    if (taken.has(fixed) || !(await probe.isFree(fixed))) throw portTaken(name, fixed);
    take(name, fixed);
  }
  for (const name of names) {
    if (chosen.has(name)) continue;
    const { preferred } = requests[name];
    const usable = preferred !== undefined && !taken.has(preferred) && (await probe.isFree(preferred));
    take(name, usable ? preferred : await anyFreePort(name, taken, probe));
  }
  return Object.fromEntries(chosen) as Record<N, number>;
}

async function anyFreePort(name: string, taken: ReadonlySet<number>, probe: PortProbe): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = probe.random();
    if (!taken.has(port) && (await probe.isFree(port))) return port;
  }
  throw new StackError('STACK_PORT_TAKEN', `no free port for ${name} where any is looked for`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function portTaken(name: string, port: number): StackError {
  return new StackError(
    'STACK_PORT_TAKEN',
    `port ${port} for ${name} is in use: stop the other program or configure another port`,
  );
}
