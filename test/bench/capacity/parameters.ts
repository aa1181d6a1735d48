/** What a deployment decides, or what it knows of its mail. Each can be given on the command line. */
export interface Parameters {
  /** Busiest minutes to the average of the day. */
  readonly peakFactor: number;
  /** Share of a core that an instance is to use at the peak. */
  readonly utilisation: number;
  /** Instances of each service more than the peak needs. */
  readonly spare: number;
  /** Replicas of each partition. */
  readonly replication: number;
  /** Of each ClickHouse table. */
  readonly clickhouseReplicas: number;
  /** Days that rows are kept. */
  readonly clickhouseDays: number;
  /** Share of a disk that is filled. */
  readonly diskFill: number;
  /** Largest memory seen, times this, is the limit of an instance. */
  readonly memoryFactor: number;
  /** Partitions to the instances that read them: so far a service can grow without other partitions. */
  readonly growth: number;
  /** Consumers of the typed topics: the ClickHouse sink, and readers of your own. */
  readonly typedReaders: number;
  /** Addresses that were ever mailed, to the events of a day. */
  readonly recipientsPerDailyEvent: number;
  /** In the store of `events`. */
  readonly idBytes: number;
  /** In the store of `events`, and in its changelog. */
  readonly recipientBytes: number;
  /** HTTP and TLS around a body. Bytes. */
  readonly requestOverhead: number;
  /** `topics.retention`. */
  readonly rawDays: number;
  readonly normalizedDays: number;
  readonly seenDays: number;
  readonly eventsDays: number;
}

export const PARAMETERS: { readonly [name in keyof Parameters]: readonly [value: number, meaning: string] } =
  {
    peakFactor: [5, 'busiest minutes to the average of the day'],
    utilisation: [0.5, 'share of a core that an instance is to use at the peak'],
    spare: [1, 'instances of each service more than the peak needs'],
    replication: [3, 'replicas of each partition'],
    clickhouseReplicas: [2, 'replicas of each ClickHouse table'],
    clickhouseDays: [365, 'days that rows are kept'],
    diskFill: [0.7, 'share of a disk that is filled'],
    memoryFactor: [1.5, 'memory limit of an instance to the largest resident size seen'],
    growth: [2, 'partitions to the instances that read them'],
    typedReaders: [2, 'consumers of the typed topics: the ClickHouse sink, and one of your own'],
    recipientsPerDailyEvent: [0.2, 'addresses that were ever mailed, to the events of a day'],
    idBytes: [60, 'bytes of an id in the store of `events`, in the long run (40 after a restore)'],
    recipientBytes: [
      300,
      'bytes of the state of a recipient: 150 once something was delivered, 300 with a bounce',
    ],
    requestOverhead: [1_500, 'bytes of HTTP and TLS around a body'],
    rawDays: [30, '`topics.retention.rawDays`'],
    normalizedDays: [7, '`topics.retention.normalizedDays`'],
    seenDays: [7, '`topics.retention.seenDays`: the dedupe window'],
    eventsDays: [14, '`topics.retention.eventsDays`'],
  };

/** The defaults, but for what is given. Throws for what is no positive number. */
export function parametersOf(given: { readonly [name: string]: number | undefined } = {}): Parameters {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(PARAMETERS, name));
  if (unknown.length > 0) throw new Error(`there is no parameter ${unknown.join(', ')}`);
  const entries = Object.entries(PARAMETERS).map(([name, [value]]) => [name, given[name] ?? value] as const);
  const wrong = entries.filter(([name, value]) => !(value > 0 || (name === 'spare' && value === 0)));
  if (wrong.length > 0) throw new Error(`${wrong.map(([name]) => name).join(', ')}: not a number above 0`);
  return Object.fromEntries(entries) as unknown as Parameters;
}
