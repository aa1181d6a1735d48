import type { ProgressListener } from './progress.ts';

/** In order of their node ids, which begin with 1. */
export const BROKER_NAMES = ['kafka', 'kafka-2', 'kafka-3', 'kafka-4', 'kafka-5'] as const;
export type BrokerName = (typeof BROKER_NAMES)[number];
export type ComponentName = BrokerName | 'registry' | 'clickhouse';

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

/** One process or container of a stack that we started, for status displays and for tests that break things. */
export interface Component<N extends string = ComponentName> {
  readonly name: N;
  readonly state: 'stopped' | 'starting' | 'running' | 'paused';
  /** Undefined while it is stopped, and of a container whose engine runs on another machine. */
  readonly pid: number | undefined;
  readonly logFile: string;
  /**
   * Starts it on the same ports and data and waits until it answers. A broker answers only while most brokers run: if most
   * are down, start them together.
   */
  start(): Promise<void>;
  /** Asks it to end in order, and kills it after its deadline. Does nothing when it is stopped. */
  stop(): Promise<void>;
  /** kill -9. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Freezes it: it keeps its connections and answers nothing. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** stop, then start. */
  restart(): Promise<void>;
  /** Calls back when it ends without having been asked to. Returns the function that unsubscribes. */
  onExit(callback: (exit: ComponentExit) => void): () => void;
}

/** A network of the container engine, and what the components are called in it. */
export interface StackInside {
  readonly network: string;
  /** Containers with these labels are removed with the stack, even if the process that owns it was killed. */
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: StackAddresses;
}

/** Brokers that run. */
export interface KafkaStack extends Pick<StackAddresses, 'kafka'> {
  /** Empty when the components are not ours to control. */
  readonly components: readonly Component[];
  /** Of each broker the port that its proxy forwards to, see `StackOptions.advertise`. */
  readonly proxied?: { readonly kafka: readonly number[] };
  /** The first broker is `kafka`, the others `kafka-2` and so on. Throws STACK_COMPONENT_STATE if there is none. */
  component(name: ComponentName): Component;
  /** Stops every component in order. May be called twice. Data stays. */
  stop(): Promise<void>;
}

/** A running stack. */
export interface Stack extends StackAddresses, Omit<KafkaStack, 'kafka'> {
  /** Where containers in the stack's network find the components. Of a stack in containers only. */
  readonly inside?: StackInside;
}

/** Each broker has these. */
export type BrokerPort =
  | 'kafka'
  | 'kafkaController'
  /** Used with `advertise.kafka` only. */
  | 'kafkaProxied';
/** Those of the second broker are `kafka-2`, `kafkaController-2` and so on. */
export type PortName =
  | BrokerPort
  | `${BrokerPort}-${2 | 3 | 4 | 5}`
  | 'registry'
  | 'registryManagement'
  | 'clickhouse';

/** A port left out is the one of the last run on this data directory, if it is still free, else any free port. */
export type StackPorts = { readonly [name in PortName]?: number };

/** Listeners on 127.0.0.1 that ask their clients who they are, and what may be done by whom. */
export interface SecuredBrokers {
  /** A name in capitals, and of each broker a port. */
  readonly listeners: readonly {
    readonly name: string;
    readonly protocol: 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
    readonly ports: readonly number[];
  }[];
  /** The protocol of the listener `PROXIED`, which `StackOptions.advertise` has; without, it asks nobody. */
  readonly proxied?: 'SASL_SSL' | undefined;
  /** Keys of server.properties. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

export interface StackOptions {
  /** Data, logs and generated settings of the components. Made if missing; kept between runs. */
  readonly dataDir: string;
  readonly ports?: StackPorts;
  /**
   * How many brokers Kafka has: 1, 3 or 5; by default 1, from `createProvider` what KAFKA_BROKERS says. The data are of that
   * many from then on. Not for external stacks.
   */
  readonly brokers?: number | undefined;
  /**
   * For tests that put a proxy between clients and each broker. A client learns a broker's address from the brokers, so
   * each has one more listener, whose clients are told these ports on 127.0.0.1, one for each broker: a proxy listens there
   * and forwards to the one of `Stack.proxied.kafka`. Clients of `kafka.brokers` go past the proxies, and so do
   * the brokers among themselves. Not for external stacks.
   */
  readonly advertise?: { readonly kafka: readonly number[] } | undefined;
  /**
   * For tests of security: what each broker has beside the listener that the stack itself uses, which stays without. Of a
   * stack of processes only.
   */
  readonly secured?: SecuredBrokers | undefined;
  /**
   * For runs that follow each other: containers go on running when the stack is stopped, and the next start on this data
   * directory finds them. Processes are stopped all the same and start on the data that they left.
   */
  readonly reuse?: boolean;
  readonly onProgress?: ProgressListener;
  /** Calls off the installation or the start: all that runs by then is stopped, and start rejects with STACK_ABORTED. */
  readonly signal?: AbortSignal;
}

export interface StackProvider {
  /** Resolves when every component answers real requests. Throws a StackError and leaves nothing running otherwise. */
  start(options: StackOptions): Promise<Stack>;
  /** The same with nothing but brokers. */
  startKafka(options: StackOptions): Promise<KafkaStack>;
}
