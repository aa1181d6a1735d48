import { PipelineError } from '../../errors.ts';
import { Gauge, type Registry } from '../../telemetry.ts';
import type { PlaceState } from './fetcher.ts';

/** Long enough for a leader to be elected; an operator should see longer ones. */
const TOLD_AFTER_MS = 10_000;
/** No outage that passes takes so long without any error. */
const STUCK_AFTER_MS = 120_000;
const LOOK_MS = 2_000;

export interface StandstillOptions {
  readonly places: () => readonly PlaceState[];
  /** Undefined: the group is well. */
  readonly groupProblem: () => string | undefined;
  readonly metrics: Registry;
  /** A partition stands still for no reason that is known: its reader should end, rather than wait for ever. */
  readonly stuck: (error: PipelineError) => void;
}

/** Looks whether partitions that have something to read are being read. What is being worked on does not count here. */
export class Standstill {
  private readonly options: StandstillOptions;
  private readonly timer: NodeJS.Timeout;
  private readonly gauge: Gauge;

  constructor(options: StandstillOptions) {
    this.options = options;
    this.gauge = new Gauge({
      name: 'email_events_standing_partitions',
      help: `Partitions that have something to read and were not read for ${TOLD_AFTER_MS / 1_000} s.`,
      registers: [options.metrics],
    });
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Why a partition has not been read for a while. */
  problem(): string | undefined {
    const [late] = lateOf(this.options.places());
    return late && (late.problem ?? 'KAFKA_READ_STALLED');
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const late = lateOf(this.options.places());
    this.gauge.set(late.length);
    const stuck = stuckOf(late);
    if (stuck && this.options.groupProblem() === undefined) this.options.stuck(stuck);
  }
}

export function lateOf(places: readonly PlaceState[], now = performance.now()): PlaceState[] {
  return places.filter(({ waiting, progressAt }) => !waiting && now - progressAt > TOLD_AFTER_MS);
}

export function stuckOf(late: readonly PlaceState[], now = performance.now()): PipelineError | undefined {
  const stuck = late.find(
    ({ problem, progressAt }) => problem === undefined && now - progressAt > STUCK_AFTER_MS,
  );
  if (!stuck) return undefined;
  const { topic, partition, position } = stuck;
  const at = `${topic}/${partition} has not been read from offset ${position} on for ${STUCK_AFTER_MS / 1_000} s`;
  return new PipelineError('KAFKA_READ_STALLED', 'fatal', at);
}
