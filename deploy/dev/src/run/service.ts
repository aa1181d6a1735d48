import type { ServiceState } from '@email-events/cli/state-file';

export type { ServiceState } from '@email-events/cli/state-file';

/** What happened to a service, for people. */
export type ServiceNews =
  | { readonly kind: 'restarting'; readonly name: string; readonly how: string; readonly inMs: number }
  | { readonly kind: 'running again'; readonly name: string }
  | { readonly kind: 'failed'; readonly name: string; readonly how: string };

export type ServicePorts = { readonly [name: string]: number };

/** One of our services under supervision: what ends by itself is started again after a pause. */
export interface Service {
  readonly name: string;
  readonly state: ServiceState;
  /** Undefined while it has none, and of a container. */
  readonly pid: number | undefined;
  /** Where it is reached from here, once it has run. */
  readonly ports: ServicePorts;
  readonly restarts: number;
  readonly logFile: string;
  /** Resolves when it takes work. Throws RUN_SERVICE_FAILED with the end of its log if it ends before. */
  start(): Promise<void>;
  /** SIGTERM, and after its deadline SIGKILL. Resolves when it is gone. May be called in any state. */
  stop(): Promise<void>;
  /** SIGKILL: it is not started again. `stop` afterwards waits for the end. */
  kill(): void;
  /** SIGKILL as from outside: it is started again. Does nothing while it does not run. */
  crash(): void;
}

/** One run of a service, from its launch to its end. */
export interface ServiceRun {
  readonly pid: number | undefined;
  /** Its ports, once it takes work. May stay pending when it ends before. */
  readonly ready: Promise<ServicePorts>;
  /** What the last question whether it takes work came to, for whoever waits in vain; undefined: it is not asked. */
  problem?(): string | undefined;
  /** How it ended, once all it said is in its log. Never rejects. */
  readonly ended: Promise<string>;
  /** Does nothing when it has ended. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
}

/** What a service runs in. */
export interface ServiceHost {
  /** Throws if it cannot even be started. */
  launch(): Promise<ServiceRun>;
  /** Gives back what is kept between runs. The last one has ended; may be called twice, and without any run. */
  release(): Promise<void>;
}

export interface ServiceTimings {
  readonly startMs: number;
  readonly stopMs: number;
  /** First pause before a restart; doubled each time, up to maxPauseMs. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  /** It is given up after this many ends … */
  readonly maxCrashes: number;
  /** … within this time. */
  readonly crashWindowMs: number;
}

export const SERVICE_TIMINGS: ServiceTimings = {
  startMs: 60_000,
  // What the slowest of them takes at most (core/README.md, Stopping).
  stopMs: 30_000,
  pauseMs: 500,
  maxPauseMs: 10_000,
  maxCrashes: 5,
  crashWindowMs: 60_000,
};
