import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.ts';
import { FaultPlan } from './faults.ts';
import { Counts, type ReceiverStats } from './stats.ts';
import { openStore } from './store.ts';
import { createVerifier } from './verifier.ts';

export interface ReceiverOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** whsec_…; a call signed by any of them is genuine. At least one. */
  readonly secrets: readonly string[];
  /** Folder of its file; made if missing. One receiver at a time. */
  readonly dataDir: string;
  /** PEM. HTTPS with them; plain HTTP, which is for loopback, without. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

export interface Receiver {
  readonly port: number;
  stats(): ReceiverStats;
  /** Cuts calls under way, closes the file. May be called twice. */
  stop(): Promise<void>;
}

/** Takes suppressions as a CRM's signed HTTP endpoint would, keeps the newest state of each recipient and shows it. */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { host, port, secrets, dataDir, tls } = options;
  const verify = createVerifier(secrets);
  const store = await openStore(dataDir);
  const counts = new Counts();
  const app = createApp({ verify, store, counts, faults: new FaultPlan() });
  const server = tls ? createTlsServer(tls, app) : createServer(app);
  try {
    await listen(server, host, port);
  } catch (error) {
    await store.close();
    throw error;
  }
  let stopped: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    stats: () => counts.stats(store),
    stop: () => {
      stopped ??= close(server).then(() => store.close());
      return stopped;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
