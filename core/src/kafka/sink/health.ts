import { codeOf } from '../../errors.ts';
import { Counter, Gauge, Histogram, type Registry } from '../../telemetry.ts';
import type { Sink } from './sink.ts';

const CHECK_MS = 10_000;
/** Lanes that readiness names; more are counted. */
const NAMED = 5;

/** Whether the sink works, by the last write of each lane and the sink's own check. */
export class SinkHealth {
  private readonly sink: Pick<Sink<never>, 'check'>;
  private readonly signal: AbortSignal;
  private readonly lanes = new Map<string, string>();
  private checked: { readonly at: number; readonly code: string | undefined } | undefined;
  private checking: Promise<string | undefined> | undefined;

  constructor(sink: Pick<Sink<never>, 'check'>, signal: AbortSignal) {
    this.sink = sink;
    this.signal = signal;
  }

  /** The result of a lane's write. Undefined: it worked. */
  report(lane: string, code: string | undefined): void {
    if (code === undefined) this.lanes.delete(lane);
    else this.lanes.set(lane, code);
  }

  /** Which lanes wait, and for what: `events-3: CODE, events-5: CODE`. Undefined: none does. */
  waitingLanes(): string | undefined {
    const waiting = [...this.lanes].sort(([a], [b]) => (a < b ? -1 : 1));
    const named = waiting.slice(0, NAMED).map(([lane, code]) => `${lane}: ${code}`);
    if (waiting.length > NAMED) named.push(`${waiting.length - NAMED} more`);
    return named.length === 0 ? undefined : named.join(', ');
  }

  /** The lanes belong to another instance now. */
  forgetLanes(): void {
    this.lanes.clear();
  }

  /** Undefined: it works. Asks the sink if it was not asked for some seconds. */
  async problem(): Promise<string | undefined> {
    const [failing] = this.lanes.values();
    if (failing !== undefined) return failing;
    if (this.checked?.code === undefined && this.checked && performance.now() - this.checked.at < CHECK_MS) {
      return undefined;
    }
    this.checking ??= this.check().finally(() => {
      this.checking = undefined;
    });
    return this.checking;
  }

  private async check(): Promise<string | undefined> {
    let code: string | undefined;
    try {
      await this.sink.check(AbortSignal.any([this.signal, AbortSignal.timeout(CHECK_MS)]));
    } catch (error) {
      code = codeOf(error);
    }
    this.checked = { at: performance.now(), code };
    return code;
  }
}

/** Metrics of a sink. */
export type SinkMeasures = ReturnType<typeof sinkMeasures>;

export function sinkMeasures(registry: Registry) {
  const registers = [registry];
  return {
    records: new Counter({
      name: 'email_events_sink_records_total',
      help: 'Records that are done with, by outcome: delivered or dead-lettered.',
      labelNames: ['topic', 'outcome'] as const,
      registers,
    }),
    retries: new Counter({
      name: 'email_events_sink_retries_total',
      help: 'Writes that have to be tried again, by code.',
      labelNames: ['code'] as const,
      registers,
    }),
    redone: new Counter({
      name: 'email_events_sink_redone_batches_total',
      help: 'Batches that an earlier owner of the lane had announced and that were written again.',
      registers,
    }),
    batchRecords: new Histogram({
      name: 'email_events_sink_batch_records',
      help: 'Records a write.',
      buckets: [1, 10, 100, 1_000, 2_000, 5_000, 10_000, 20_000],
      registers,
    }),
    writeSeconds: new Histogram({
      name: 'email_events_sink_write_seconds',
      help: 'Duration of a write.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    ageSeconds: new Histogram({
      name: 'email_events_sink_record_age_seconds',
      help: 'Age of the oldest record of a write when it is done: how fresh the target is.',
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600],
      registers,
    }),
    buffered: new Gauge({
      name: 'email_events_sink_buffered_records',
      help: 'Records that are read and not yet written.',
      registers,
    }),
  };
}
