import type { Finding } from '../problems.ts';
import { isWildcard } from './hosts.ts';

export interface ServicePort {
  readonly service: string;
  readonly path: string;
  readonly port: number;
  readonly host: string;
  readonly hostPath: string;
}

/** Finds ports that are used twice. Within one service that is refused; two services may run on different machines, so it is a warning. */
export function portFindings(all: readonly ServicePort[]): Finding[] {
  const ports = all.filter(({ port }) => port !== 0);
  return ports.flatMap((second, index): Finding[] => {
    const first = ports.slice(0, index).find((earlier) => collides(earlier, second));
    if (!first) return [];
    const { path, port, service } = second;
    const compared = [first.path, first.hostPath, second.hostPath];
    if (first.service === service)
      return [{ level: 'refuse', path, message: `${port} is ${first.path} already`, compared }];
    const message = `${port} is ${first.path} too: on one machine only one of them starts`;
    return [{ level: 'warn', path, message, compared }];
  });
}

const collides = (a: ServicePort, b: ServicePort) =>
  a.port === b.port && (a.host === b.host || isWildcard(a.host) || isWildcard(b.host));
