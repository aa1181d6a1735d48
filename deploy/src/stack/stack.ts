import type { ProgressListener } from './progress.ts';

export type ComponentName = 'kafka' | 'registry' | 'clickhouse';

/** Where the components listen. All of it can be sent to another process as JSON. */
export interface StackAddresses {
  readonly kafka: { readonly brokers: string[] };
  /** Base URL of the Confluent-compatible API. */
  readonly registry: { readonly url: string; readonly username?: string; readonly password?: string };
  readonly clickhouse: { readonly url: string; readonly username?: string; readonly password?: string };
}

export interface ComponentExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One process or container of a stack that is ours, for status displays and for tests that break things. */
export interface Component {
  readonly name: ComponentName;
  readonly state: 'stopped' | 'starting' | 'running' | 'paused';
  /** Undefined while it is stopped, and of a container whose engine runs on another machine. */
  readonly pid: number | undefined;
  readonly logFile: string;
  /** Starts it on the same ports and data and waits until it answers. */
  start(): Promise<void>;
  /** Lets it end in order; after its deadline it is killed. Does nothing when it is stopped. */
  stop(): Promise<void>;
  /** kill -9. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Freezes it: it keeps its connections and answers nothing. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** stop, then start. */
  restart(): Promise<void>;
  /** Calls back when it ends and nobody asked it to. Returns the function that unsubscribes. */
  onExit(callback: (exit: ComponentExit) => void): () => void;
}

/** A network of the container engine, and what the components are called in it. */
export interface StackInside {
  readonly network: string;
  /** Whatever carries them is removed with the stack, also when its owner was killed. */
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: StackAddresses;
}

/** A running stack. */
export interface Stack extends StackAddresses {
  /** Empty when the components are not ours to control. */
  readonly components: readonly Component[];
  /** Port that a proxy forwards to, see `StackOptions.advertise`. */
  readonly proxied?: { readonly kafka: number };
  /** Where containers of ours find the components. Of a stack in containers only. */
  readonly inside?: StackInside;
  component(name: ComponentName): Component;
  /** Stops every component in order. May be called twice. Data stays. */
  stop(): Promise<void>;
}

/** A port left out is the one of the last run on this data directory, if it is still free, else any free port. */
export interface StackPorts {
  readonly kafka?: number;
  readonly kafkaController?: number;
  /** Used with `advertise.kafka` only. */
  readonly kafkaProxied?: number;
  readonly registry?: number;
  readonly registryManagement?: number;
  readonly clickhouse?: number;
}

export interface StackOptions {
  /** Data, logs and generated settings of the components. Made if missing; kept between runs. */
  readonly dataDir: string;
  readonly ports?: StackPorts;
  /**
   * For tests that put a proxy between clients and the broker. A client learns the broker's address from the broker, so
   * there is one more listener, whose clients are told this port on 127.0.0.1: a proxy listens there and forwards to
   * `Stack.proxied.kafka`. Whoever connects to `kafka.brokers` goes past the proxy. Not for external stacks.
   */
  readonly advertise?: { readonly kafka: number };
  /**
   * For runs that follow each other: containers go on running when the stack is stopped, and the next start on this data
   * directory finds them. Processes are stopped all the same and start on the data that they left.
   */
  readonly reuse?: boolean;
  readonly onProgress?: ProgressListener;
  /** Calls off the installation or the start: whatever runs is stopped and start rejects with STACK_ABORTED. */
  readonly signal?: AbortSignal;
}

export interface StackProvider {
  /** Resolves when every component answers real requests. Throws a StackError and leaves nothing running otherwise. */
  start(options: StackOptions): Promise<Stack>;
}
