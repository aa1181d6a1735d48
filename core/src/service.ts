import type { CommonSection, ConfigPart, ConfigWith, z } from './config/index.ts';
import type { CodeTable } from './errors.ts';
import type { RunningService } from './lifecycle.ts';
import type { Logger, Registry } from './telemetry.ts';

/** What a service is started with: the common sections of the configuration and its own. */
export interface ServiceContext<C> {
  readonly config: C;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Reads the configuration again, for a service that can take over part of it while it runs. Throws ConfigError. */
  readonly reload?: () => C;
}

/** The part of a service that needs its libraries. */
export interface ServiceCode<C> {
  /** Resolves when the service takes work. */
  start(context: ServiceContext<C>): Promise<RunningService>;
  /** What is wrong with the configuration that only the service can judge. Throws ConfigError with all of it. */
  check?(config: C): void;
}

/** Starts a service; resolves when it takes work. */
export type StartService<C> = ServiceCode<C>['start'];

/**
 * All that others have to know of a service. The command line, the image, the local pipeline and the documents are made of
 * the list of these, so it is cheap to import: the service's own code is loaded only by `load`.
 */
export interface ServiceDescriptor<
  Name extends string = string,
  Path extends string = string,
  S extends z.ZodType = z.ZodType,
> extends ConfigPart<Path, S> {
  /** Of the process, its client id, its log, its metrics and its dead letters. */
  readonly name: Name;
  /** What it does, for `start` and `status`. */
  readonly title: string;
  /** Common sections whose secrets it needs, besides those of its own section. */
  readonly reads: readonly CommonSection[];
  /** Said by a service that is started although its section is left out. */
  readonly absent?: string;
  /** The error codes that it declares, each with what it means to an operator. */
  readonly codes: CodeTable;
  /** Entry file, from the root of the repository. */
  readonly entry: string;
  readonly nodeArgs?: readonly string[];
  /** Its consumer group, and the topics of which that keeps positions. */
  readonly consumes?: Consumption;
  /** Topics that it reads besides, without a group. */
  readonly restores?: readonly string[];
  readonly writes: readonly string[];
  load(): Promise<ServiceCode<ConfigWith<Path, S>>>;
}

export interface Consumption {
  /** A processor writes in transactions and takes back a record that is put into its input; a sink has a topic for these. */
  readonly as: 'processor' | 'sink';
  readonly topics: readonly string[];
}

export const defineService = <const Name extends string, const Path extends string, S extends z.ZodType>(
  descriptor: ServiceDescriptor<Name, Path, S>,
): ServiceDescriptor<Name, Path, S> => descriptor;
