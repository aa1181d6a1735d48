import cluster from 'node:cluster';
import type { Server } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { IngressConfig } from './config.ts';

type Address = Pick<IngressConfig['ingress'], 'host' | 'port' | 'reusePort'>;

/**
 * Sockets that listen on the port. Node takes one connection from each in a turn of the event loop, and under load a turn takes ten
 * milliseconds: with one socket, 128 senders that came at once waited for up to half a second, which was all of the p99 that is above 50 ms.
 */
const ACCEPTORS = 16;

/**
 * Has the server listen. Returns further servers that hand their connections to it, to be closed with it; there are none where the system
 * cannot share a port among sockets. Rejects with EADDRINUSE if another process has the port, unless both are to share it (`reusePort`).
 */
export async function openPort(server: Server, { host, port, reusePort }: Address): Promise<NetServer[]> {
  // Of workers the primary has looked, before it started them.
  if (!reusePort && cluster.isPrimary) await freePort({ host, port });
  try {
    await listening(server, { host, port, reusePort: true });
  } catch (error) {
    if (reusePort || !isUnsupported(error)) throw error;
    // Of workers the primary accepts then, for all of them.
    await listening(server, { host, port, reusePort: false });
    return [];
  }
  const { address, port: chosen } = server.address() as AddressInfo;
  const acceptors = Array.from({ length: ACCEPTORS - 1 }, () => acceptorFor(server));
  try {
    await Promise.all(
      acceptors.map((one) => listening(one, { host: address, port: chosen, reusePort: true })),
    );
  } catch (error) {
    for (const one of [server, ...acceptors]) one.close();
    throw error;
  }
  return acceptors;
}

/** Makes sockets as the server does. */
function acceptorFor(server: Server): NetServer {
  const { allowHalfOpen } = server as { allowHalfOpen?: boolean };
  return new NetServer({ allowHalfOpen: allowHalfOpen === true, noDelay: true }, (socket: Socket) =>
    server.emit('connection', socket),
  );
}

/**
 * A port that no process has: this one, or any if it is 0. It has to be looked for, since sockets that share a port share it with all of this
 * user that ask for it. Rejects with EADDRINUSE.
 */
export async function freePort(address: Pick<Address, 'host' | 'port'>): Promise<number> {
  const probe = new NetServer();
  await listening(probe, { ...address, reusePort: false });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function listening(server: NetServer, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // A socket of its own, also in a worker, unless it cannot share the port.
    server.listen({ ...address, exclusive: address.reusePort || cluster.isPrimary }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

const isUnsupported = (error: unknown) =>
  ['ENOTSUP', 'EOPNOTSUPP', 'ENOPROTOOPT', 'EINVAL'].includes(String((error as { code?: unknown }).code));
