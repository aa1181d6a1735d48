import type { DependencyState, ReadinessCheck } from '../../admin-server.ts';
import { Counter, Gauge, Histogram, type Registry } from '../../telemetry.ts';

export interface PartitionTroubles {
  readonly assigned: number;
  /** Code by `topic/partition`. */
  readonly troubled: ReadonlyMap<string, string>;
}

/** How a loop is. */
export interface LoopState {
  /** Codes of the troubles that keep it from working as a whole. */
  problems(): readonly string[];
  /** Troubles of single partitions, and how many partitions it has. */
  partitions(): PartitionTroubles;
  /** A partition was assigned and is being opened: its state is being restored. */
  isOpening(): boolean;
}

type IsOf = (code: string) => boolean;

const isOfRegistry = (code: string) => code.startsWith('REGISTRY_') || code.startsWith('SCHEMA_');
const isOfState = (code: string) => code.startsWith('STATE_');
const isOfRecords = (code: string) => code === 'PROCESSOR_HALTED';
const isOfKafka = (code: string) => !isOfRegistry(code) && !isOfState(code) && !isOfRecords(code);

/** A dependency that is away for one partition is away for all, whichever of them has noticed. */
const isOfAll = (code: string) =>
  code === 'KAFKA_UNREACHABLE' || code === 'STATE_DISK_FULL' || isOfRegistry(code) || isOfRecords(code);

/**
 * The dependencies of a processor, each with the code of its trouble; a code begins with its subject. A trouble of all partitions makes
 * it not ready; one of some partitions makes it degraded, and it says which these are.
 */
export function readinessOf(loop: LoopState): {
  readonly kafka: ReadinessCheck;
  readonly registry: ReadinessCheck;
  readonly records: ReadinessCheck;
} {
  return {
    kafka: () => stateOf(loop, isOfKafka),
    registry: () => stateOf(loop, isOfRegistry),
    records: () => stateOf(loop, isOfRecords),
  };
}

/** The same of one that keeps state. */
export function statefulReadinessOf(
  loop: LoopState,
): ReturnType<typeof readinessOf> & { readonly state: ReadinessCheck } {
  const state = () => stateOf(loop, isOfState) ?? (loop.isOpening() ? 'STATE_RESTORING' : undefined);
  return { ...readinessOf(loop), state };
}

function stateOf(loop: LoopState, isOf: IsOf): DependencyState {
  const { assigned, troubled } = loop.partitions();
  const own = [...troubled].filter(([, code]) => isOf(code));
  const [first] = own;
  const whole = loop.problems().find(isOf) ?? own.map(([, code]) => code).find(isOfAll);
  if (!first) return whole;
  const [partitions, code] = [Object.fromEntries(own), whole ?? first[1]];
  return whole !== undefined || troubled.size >= assigned
    ? { failed: code, partitions }
    : { degraded: code, partitions };
}

/** Metrics of a transactional loop. */
export class LoopMeasures {
  readonly failures: Counter<'code'>;
  readonly halted: Gauge;
  readonly partitions: Gauge<'topic'>;
  private readonly duration: Histogram;
  private readonly age: Histogram;
  private readonly records: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.duration = new Histogram({
      name: 'email_events_transaction_seconds',
      help: 'Time from a batch of records to its committed transaction; its count is the number of transactions.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    });
    this.age = new Histogram({
      name: 'email_events_transaction_record_age_seconds',
      help: 'Age of the oldest record of a transaction when it is committed: how fresh the output is. Of normalize, since Kafka has the request.',
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600],
      registers,
    });
    this.records = new Counter({
      name: 'email_events_consumed_records_total',
      help: 'Records consumed and committed.',
      registers,
    });
    this.failures = new Counter({
      name: 'email_events_transaction_failures_total',
      help: 'Transactions that failed and were tried again, by code.',
      labelNames: ['code'],
      registers,
    });
    this.halted = new Gauge({
      name: 'email_events_halted',
      help: '1 while all partitions halt because the work on good records fails, or on records of several sources.',
      registers,
    });
    this.halted.set(0);
    this.partitions = new Gauge({
      name: 'email_events_topic_partitions',
      help: 'Partitions of the topic that is read, of all instances together, as of the start.',
      labelNames: ['topic'],
      registers,
    });
  }

  /** `oldest`: when the first of the records was written. Epoch milliseconds. */
  committed(records: number, ms: number, oldest: number): void {
    this.duration.observe(ms / 1_000);
    this.age.observe(Math.max(0, Date.now() - oldest) / 1_000);
    this.records.inc(records);
  }
}
