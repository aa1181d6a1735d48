import { createServer, type Server } from 'node:http';
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
}

export interface Receiver {
  readonly port: number;
  stats(): ReceiverStats;
  /** Cuts calls under way, closes the file. May be called twice. */
  stop(): Promise<void>;
}

/** Takes suppressions as a CRM's signed HTTP endpoint would, keeps the newest state of each recipient and shows it. */
export async function startReceiver({ host, port, secrets, dataDir }: ReceiverOptions): Promise<Receiver> {
  const verify = createVerifier(secrets);
  const store = await openStore(dataDir);
  const counts = new Counts();
  const server = createServer(createApp({ verify, store, counts, faults: new FaultPlan() }));
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
