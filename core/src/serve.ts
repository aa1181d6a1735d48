import { type AdminOptions, startAdminServer } from './admin-server.ts';
import { type RunningService, runStopSteps, type StopStep } from './lifecycle.ts';
import type { ServiceContext } from './service.ts';
import type { MetricsText } from './telemetry.ts';

/** Reads from Kafka until it is stopped, such as a sink's runner or a processor's loop. */
export interface Consuming {
  /** Rejects with the error that made it stop by itself. */
  readonly done: Promise<void>;
  /** Finishes or hands over what is under way, and commits. */
  stop(): Promise<void>;
}

export interface ServeOptions {
  readonly adminPort: number;
  readonly readiness: AdminOptions['readiness'];
  /** Instead of the service's registry alone. */
  readonly metrics?: MetricsText;
  /** Before the consumer is stopped. */
  readonly first?: readonly StopStep[];
}

/** More than the steps take together that a consumer has inside: each of them has its own deadline. */
const CONSUMER_STOP_MS = 25_000;
const ADMIN_STOP_MS = 1_000;

/** A service whose work is to consume: with its admin port, and stopped in order. If the port cannot be had, the consumer is stopped. */
export async function serveConsumer(
  consumer: Consuming,
  { config, log, metrics: own }: ServiceContext<{ readonly adminHost: string }>,
  { adminPort, readiness, metrics = own, first = [] }: ServeOptions,
): Promise<RunningService> {
  const consuming: StopStep[] = [
    ...first,
    { name: 'consumer', deadlineMs: CONSUMER_STOP_MS, run: () => consumer.stop() },
  ];
  const admin = await startAdminServer({
    ...{ host: config.adminHost, port: adminPort, metrics, readiness },
  }).catch(async (error) => {
    await runStopSteps(consuming, log);
    throw error;
  });
  const steps: StopStep[] = [
    { name: 'readiness', deadlineMs: 100, run: () => admin.drain() },
    ...consuming,
    { name: 'admin', deadlineMs: ADMIN_STOP_MS, run: () => admin.close() },
  ];
  let stopping: Promise<void> | undefined;
  return {
    ports: { admin: admin.port },
    done: consumer.done,
    stop() {
      stopping ??= runStopSteps(steps, log);
      return stopping;
    },
  };
}
