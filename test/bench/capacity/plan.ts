import type { Figures } from './measured.ts';
import type { Parameters } from './parameters.ts';

export type ServiceName = 'ingress' | 'normalize' | 'events' | 'sink-clickhouse';

export interface ServicePlan {
  readonly name: ServiceName;
  /** CPU seconds a second, at the peak. */
  readonly cores: number;
  readonly instances: number;
  /** Limit of an instance. Bytes. */
  readonly memoryBytes: number;
}

/** What so many events a day need. Bytes, and bytes a second at the peak. */
export interface Plan {
  readonly eventsADay: number;
  readonly averagePerSecond: number;
  readonly peakPerSecond: number;
  readonly requestsPerSecond: number;
  readonly services: readonly ServicePlan[];
  readonly rawPartitions: number;
  readonly partitions: number;
  readonly disk: {
    /** All replicas, with the room that is left free. */
    readonly kafka: number;
    readonly kafkaByTopic: { readonly [topic: string]: number };
    readonly clickhouse: number;
    /** All instances of `events` together. */
    readonly state: number;
  };
  readonly network: {
    readonly webhooks: number;
    /** From our services to the leaders. */
    readonly kafkaIn: number;
    readonly kafkaReplication: number;
    /** From the leaders to consumers. */
    readonly kafkaOut: number;
    readonly clickhouse: number;
  };
}

const DAY_SECONDS = 86_400;
const MICRO = 1e-6;
const MB = 1e6;
/** Partitions come in numbers that many numbers of instances divide. */
const PARTITION_STEP = 6;
/** The window is a database for each half of it, the oldest of which is dropped whole. */
const WINDOW_AND_A_HALF = 1.5;
/** A compacted topic holds about as much again that is not compacted yet. */
const NOT_COMPACTED = 2;

export function planFor(eventsADay: number, figures: Figures, parameters: Parameters): Plan {
  const averagePerSecond = eventsADay / DAY_SECONDS;
  const peakPerSecond = averagePerSecond * parameters.peakFactor;
  const requestsPerSecond = peakPerSecond / figures.eventsPerRequest;
  const services = servicesFor({ peakPerSecond, requestsPerSecond }, figures, parameters);
  const instancesOf = (...names: ServiceName[]) =>
    Math.max(...services.filter(({ name }) => names.includes(name)).map(({ instances }) => instances));
  return {
    ...{ eventsADay, averagePerSecond, peakPerSecond, requestsPerSecond, services },
    rawPartitions: partitionsFor(instancesOf('normalize'), parameters),
    partitions: partitionsFor(instancesOf('events', 'sink-clickhouse'), parameters),
    disk: diskFor(eventsADay, figures, parameters),
    network: networkFor({ peakPerSecond, requestsPerSecond }, figures, parameters),
  };
}

interface Rates {
  readonly peakPerSecond: number;
  readonly requestsPerSecond: number;
}

function servicesFor(
  { peakPerSecond, requestsPerSecond }: Rates,
  figures: Figures,
  { utilisation, spare, memoryFactor }: Parameters,
): ServicePlan[] {
  const service = (name: ServiceName, perSecond: number, cpuUs: number, peakMb: number): ServicePlan => {
    const cores = perSecond * cpuUs * MICRO;
    return {
      ...{ name, cores, instances: Math.ceil(cores / utilisation) + spare },
      memoryBytes: peakMb * MB * memoryFactor,
    };
  };
  return [
    service('ingress', requestsPerSecond, figures.ingressCpuUs, figures.ingressPeakMb),
    service('normalize', peakPerSecond, figures.normalizeCpuUs, figures.normalizePeakMb),
    service('events', peakPerSecond, figures.eventsCpuUs, figures.eventsPeakMb),
    service('sink-clickhouse', peakPerSecond, figures.sinkCpuUs, figures.sinkPeakMb),
  ];
}

const partitionsFor = (instances: number, { growth }: Parameters) =>
  Math.ceil((instances * growth) / PARTITION_STEP) * PARTITION_STEP;

function diskFor(eventsADay: number, figures: Figures, parameters: Parameters): Plan['disk'] {
  const { replication, diskFill, recipientsPerDailyEvent, clickhouseDays, clickhouseReplicas } = parameters;
  const recipients = eventsADay * recipientsPerDailyEvent;
  const logical = {
    'email.raw': (eventsADay / figures.eventsPerRequest) * figures.rawBytes * parameters.rawDays,
    'email.internal.normalized': eventsADay * figures.normalizedBytes * parameters.normalizedDays,
    'email.internal.seen': eventsADay * figures.seenBytes * parameters.seenDays,
    'email.internal.recipient-state': recipients * parameters.recipientBytes * NOT_COMPACTED,
    'email.events.*': eventsADay * figures.typedBytes * parameters.eventsDays,
  };
  const kafkaByTopic = Object.fromEntries(
    Object.entries(logical).map(([topic, bytes]) => [topic, (bytes * replication) / diskFill]),
  );
  const ids = eventsADay * parameters.seenDays * WINDOW_AND_A_HALF;
  return {
    kafka: Object.values(kafkaByTopic).reduce((sum, bytes) => sum + bytes, 0),
    kafkaByTopic,
    clickhouse: (eventsADay * figures.rowBytes * clickhouseDays * clickhouseReplicas) / diskFill,
    state: (ids * parameters.idBytes + recipients * parameters.recipientBytes) / diskFill,
  };
}

function networkFor(
  { peakPerSecond, requestsPerSecond }: Rates,
  figures: Figures,
  { replication, typedReaders, requestOverhead }: Parameters,
): Plan['network'] {
  const raw = requestsPerSecond * figures.rawBytes;
  const normalized = peakPerSecond * figures.normalizedBytes;
  const typed = peakPerSecond * figures.typedBytes;
  const changelogs = peakPerSecond * (figures.seenBytes + figures.recipientStateBytes);
  const kafkaIn = raw + normalized + typed + changelogs;
  return {
    webhooks: requestsPerSecond * (figures.bodyBytes + requestOverhead),
    kafkaIn,
    kafkaReplication: kafkaIn * (replication - 1),
    kafkaOut: raw + normalized + typed * typedReaders,
    // Rows go as they are, about as large as the records that they are made of.
    clickhouse: typed,
  };
}
