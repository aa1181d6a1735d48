import type { DependencyState, ReadinessCheck } from '../../admin-server.ts';
import { Counter, Gauge, Histogram, type Registry } from '../../telemetry.ts';
import { type ByPartition, keyOf, type TopicPartition } from '../client/offsets.ts';
import type { PlaceState } from '../read/fetcher.ts';

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
  private readonly duration: Histogram;
  private readonly records: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.duration = new Histogram({
      name: 'email_events_transaction_seconds',
      help: 'Time from a batch of records to its committed transaction; its count is the number of transactions.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
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
  }

  committed(records: number, ms: number): void {
    this.duration.observe(ms / 1_000);
    this.records.inc(records);
  }
}

export interface LagOptions {
  readonly topic: string;
  /** The partitions that are being read, and their ends. */
  readonly places: () => readonly PlaceState[];
  /** Asks the brokers where partitions end: behind everything that is acknowledged. */
  readonly ends: (partitions: readonly TopicPartition[]) => Promise<ByPartition<number>>;
  readonly metrics: Registry;
}

/** Ends of partitions that are not being read are asked for so often. */
const ASK_MS = 5_000;

/**
 * How far this instance is behind on the partitions it has: from the committed offset to the end of the partition, whether it is
 * being read, processed and committed at present or not. A partition that stands still shows a lag that grows.
 */
export class Lag {
  private readonly options: LagOptions;
  private readonly positions = new Map<number, number>();
  private readonly asked = new Map<number, number>();
  private readonly timer: NodeJS.Timeout;
  private asking = false;

  constructor(options: LagOptions) {
    this.options = options;
    const update = (gauge: Gauge<'topic' | 'partition'>) => this.report(gauge);
    new Gauge({
      name: 'email_events_consumer_lag',
      help: 'Offsets between what is committed and the end of the partition, of the partitions this instance has.',
      labelNames: ['topic', 'partition'],
      registers: [options.metrics],
      collect() {
        update(this);
      },
    });
    this.timer = setInterval(() => void this.ask(), ASK_MS).unref();
  }

  /** Everything before this offset is committed. */
  committed(partition: number, position: number): void {
    this.positions.set(partition, position);
  }

  /** The partition is another instance's now, which reports its lag. */
  forget(partition: number): void {
    this.positions.delete(partition);
    this.asked.delete(partition);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Offsets behind, by partition; nothing of one whose position or end is not known yet. */
  behind(): ReadonlyMap<number, number> {
    const ends = new Map(this.asked);
    for (const { partition, end } of this.options.places())
      if (end !== undefined) ends.set(partition, Math.max(end, ends.get(partition) ?? end));
    return new Map(
      [...this.positions].flatMap(([partition, position]) => {
        const end = ends.get(partition);
        return end === undefined ? [] : [[partition, Math.max(0, end - position)] as const];
      }),
    );
  }

  /** Of partitions that are not being fetched: a fetch brings the end with it. */
  async ask(): Promise<void> {
    const { topic, places, ends } = this.options;
    const fetched = new Set(places().flatMap(({ partition, waiting }) => (waiting ? [] : [partition])));
    const silent = [...this.positions.keys()].filter((partition) => !fetched.has(partition));
    if (this.asking || silent.length === 0) return;
    this.asking = true;
    try {
      const found = await ends(silent.map((partition) => ({ topic, partition })));
      for (const partition of silent) {
        const end = found.get(keyOf({ topic, partition }));
        if (end !== undefined && this.positions.has(partition)) this.asked.set(partition, end);
      }
    } catch {
      // No broker answers, which readiness reports; the last known end is still a lower bound.
    } finally {
      this.asking = false;
    }
  }

  private report(gauge: Gauge<'topic' | 'partition'>): void {
    const { topic } = this.options;
    gauge.reset();
    for (const [partition, offsets] of this.behind()) gauge.set({ topic, partition }, offsets);
  }
}
