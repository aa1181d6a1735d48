import type { PipelineConfig } from '../load.ts';
import type { Finding } from '../problems.ts';
import { isWildcard } from './hosts.ts';

interface Port {
  readonly path: string;
  readonly host: string;
  readonly port: number;
  readonly service: string;
}

/** A port that is used twice. Of two services it is a question of where they run. */
export function portFindings(config: PipelineConfig): Finding[] {
  const ports = portsOf(config).filter(({ port }) => port !== 0);
  return ports.flatMap((second, index): Finding[] => {
    const first = ports.slice(0, index).find((earlier) => collides(earlier, second));
    if (!first) return [];
    const { path, port, service } = second;
    const compared = [first.path, 'adminHost', 'ingress.host'];
    if (first.service === service)
      return [{ level: 'refuse', path, message: `${port} is ${first.path} already`, compared }];
    const message = `${port} is ${first.path} too: on one machine only one of them starts`;
    return [{ level: 'warn', path, message, compared }];
  });
}

const collides = (a: Port, b: Port) =>
  a.port === b.port && (a.host === b.host || isWildcard(a.host) || isWildcard(b.host));

function portsOf({ ingress, normalize, events, sinks, adminHost: host }: PipelineConfig): Port[] {
  return [
    { path: 'ingress.port', host: ingress.host, port: ingress.port, service: 'ingress' },
    { path: 'ingress.adminPort', host, port: ingress.adminPort, service: 'ingress' },
    { path: 'normalize.adminPort', host, port: normalize.adminPort, service: 'normalize' },
    { path: 'events.adminPort', host, port: events.adminPort, service: 'events' },
    ...Object.entries(sinks).flatMap(([name, sink]) =>
      sink === undefined
        ? []
        : [{ path: `sinks.${name}.adminPort`, host, port: sink.adminPort, service: name }],
    ),
  ];
}
