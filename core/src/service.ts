import {
  type CommonSection,
  type ConfigPart,
  type ConfigProblem,
  type ConfigWith,
  valueAt,
  type z,
} from './config/index.ts';
import type { CodeTable } from './errors.ts';
import { processorGroup, sinkGroup } from './kafka/names.ts';
import type { RunningService } from './lifecycle.ts';
import type { Logger, Registry } from './telemetry.ts';
import type { Traces } from './tracing/traces.ts';

/** A service starts with this: its configuration (the common sections and its own), its log and its metrics. */
export interface ServiceContext<C> {
  readonly config: C;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Default: none. */
  readonly traces?: Traces;
  /** Reads the configuration again, for a service that can take over part of it while it runs. Throws ConfigError. */
  readonly reload?: () => C;
}

/** The code of a service, loaded by its descriptor. */
export interface ServiceCode<C> {
  /** Resolves when the service takes work. */
  start(context: ServiceContext<C>): Promise<RunningService>;
}

/** Judges more of a configuration than its schema can. */
export interface ServiceCheck<C> {
  /** Throws ConfigError with all that is wrong. Returns what works and should be looked at. */
  check(config: C): readonly ConfigProblem[];
}

export type StartService<C> = ServiceCode<C>['start'];

/**
 * Describes a service to the rest of the project. The command line, the image, the local pipeline and the documents are made from
 * the list of descriptors, so a descriptor must be cheap to import: `load` loads the service's code.
 */
export interface ServiceDescriptor<
  Name extends string = string,
  Path extends string = string,
  S extends z.ZodType = z.ZodType,
> extends ConfigPart<Path, S> {
  /** Names the process, its client id, its log, its metrics and its dead letters. */
  readonly name: Name;
  /** Says in the help of `run` what the service does. */
  readonly title: string;
  /** Common sections whose secrets the service needs, besides the secrets of its section. */
  readonly reads: readonly CommonSection[];
  /** Only for a service that a pipeline may lack: the error message if it is started although its section is left out. */
  readonly absent?: string;
  /** The error codes that it declares, each with what it means to an operator. */
  readonly codes: CodeTable;
  /** Entry file, from the root of the repository. */
  readonly entry: string;
  readonly nodeArgs?: readonly string[];
  /** The topics in which its consumer group keeps positions. Absent: it is in no group. */
  readonly consumes?: Consumption;
  /**
   * Names of further consumers that the process runs with this configuration, beside the one of its own name. Each reads the same topics in
   * a group of its own, or those of `consumersRead`, and its dead letters have its name as stage.
   */
  consumers?(config: ConfigWith<Path, S>): readonly string[];
  readonly consumersRead?: readonly string[] | ((consumer: string) => readonly string[]);
  /** A sink that also writes in transactions, with a transactional id of its own: that of a command of its name. */
  readonly transacts?: boolean;
  /** Further topics, which it reads without a group. */
  readonly restores?: readonly string[];
  readonly writes: readonly string[];
  /** A folder that should outlive the process. Instances on other machines have each one of their own. */
  readonly disk?: Disk;
  /** Loads the service's own code. */
  load(): Promise<ServiceCode<ConfigWith<Path, S>>>;
  loadCheck?(): Promise<ServiceCheck<ConfigWith<Path, S>>>;
}

export interface Disk {
  /** Names the volume. */
  readonly name: string;
  /** Key of its path, within the section. */
  readonly field: string;
  /** `originals` are nowhere else, so an instance goes for good only once there are none; `copies` can be had again. */
  readonly holds: 'originals' | 'copies';
}

export interface Consumption {
  /** A processor writes in transactions and takes back a record that is put into its input; a sink has a topic for these. */
  readonly as: 'processor' | 'sink';
  readonly topics: readonly string[];
}

export const defineService = <const Name extends string, const Path extends string, S extends z.ZodType>(
  descriptor: ServiceDescriptor<Name, Path, S>,
): ServiceDescriptor<Name, Path, S> => descriptor;

/** Whether a pipeline of this configuration has the service: its section is there, or has a default. */
export const isConfigured = ({ section }: Pick<ServiceDescriptor, 'section'>, config: object): boolean =>
  valueAt(config, section) !== undefined;

/** A pipeline may be without it. */
export const isOptional = ({ absent }: Pick<ServiceDescriptor, 'absent'>): boolean => absent !== undefined;

export interface ServiceGroup {
  /** Of the consumer: that of its service, or one that `consumers` names. */
  readonly consumer: string;
  readonly group: string;
  readonly topics: readonly string[];
}

/** The groups of a service with this configuration, its own first. None if it is in no group. */
export function consumerGroupsOf(
  service: Pick<ServiceDescriptor, 'name' | 'consumes' | 'consumers' | 'consumersRead' | 'section'>,
  groupPrefix: string,
  config: object,
): readonly ServiceGroup[] {
  const { name, consumes, consumers, consumersRead = consumes?.topics ?? [] } = service;
  if (!consumes) return [];
  const { topics } = consumes;
  if (consumes.as === 'processor')
    return [{ consumer: name, group: processorGroup(groupPrefix, name), topics }];
  const readBy = typeof consumersRead === 'function' ? consumersRead : () => consumersRead;
  const further = consumers && isConfigured(service, config) ? consumers(config as never) : [];
  return [
    { consumer: name, group: sinkGroup(groupPrefix, name), topics },
    ...further.map((consumer) => ({
      ...{ consumer, group: sinkGroup(groupPrefix, consumer), topics: readBy(consumer) },
    })),
  ];
}
