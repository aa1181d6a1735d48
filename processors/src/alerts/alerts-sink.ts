import {
  codeOf,
  DELIVERED,
  type Logger,
  PipelineError,
  pause,
  type Sink,
  type SinkBatch,
  type SinkVerdict,
} from '@email-events/core';
import type { Alert, EmailEvent } from '@email-events/schemas';
import { eventTypeOf } from '@email-events/schemas';
import PQueue from 'p-queue';
import type { AlertsSettings } from './config.ts';
import type { AlertMeasures } from './measures.ts';
import { judgeRates } from './rules.ts';
import { judgeSilence } from './silence.ts';
import { type AlertCodecs, type AlertLog, AlertState } from './state.ts';
import { MINUTES_MS, type Reported } from './windows.ts';

/** Windows that ended while nothing could be judged are judged afterwards, in these steps and so far back. */
const STEP_MS = MINUTES_MS;
const MOST_STEPS = 24;
/** An instance that was fenced by one which is none any more takes over again, once that one has had time to notice. */
const FENCED_PAUSE_MS = 20_000;
const OPENING_PAUSE_MS = 1_000;

export interface AlertsSinkOptions {
  readonly settings: Omit<AlertsSettings, 'adminPort' | 'http'>;
  readonly codecs: AlertCodecs;
  readonly log: AlertLog;
  readonly logger: Logger;
  readonly measures: AlertMeasures;
  readonly now: () => number;
  /** Whether all events that were committed some seconds ago have come to the sink. */
  readonly isCurrent: () => boolean;
  readonly pauses?: { readonly fencedMs: number };
}

/**
 * Counts typed events in windows, judges them, and tells what begins and what ends. One instance has all partitions, and the windows; the
 * others wait. A batch, the windows that it changes and what follows from them are one transaction: none is counted twice.
 */
export class AlertsSink implements Sink<EmailEvent> {
  readonly name = 'alerts';
  private readonly options: AlertsSinkOptions;
  /** One thing at a time: batches and judgements change the same windows. */
  private readonly turn = new PQueue({ concurrency: 1 });
  private state: AlertState | undefined;
  private isOwner = false;
  private openAfter = 0;
  /** Why it could not judge the last time. */
  private trouble: string | undefined;

  constructor(options: AlertsSinkOptions) {
    this.options = options;
  }

  /** Whether this instance has all partitions now; undefined: they move. What is in memory is of the ownership before. */
  async owns(share: number | undefined): Promise<void> {
    this.isOwner = share === 1;
    await this.turn.add(async () => {
      await this.forget();
      // Another may have all partitions. While they move it is not known yet, and mostly it is this one again.
      if (!this.isOwner && share !== undefined) this.options.measures.forget();
      this.openAfter = 0;
      if (this.isOwner) await this.opened().catch(() => undefined);
    });
  }

  async check(): Promise<void> {
    if (this.trouble !== undefined) throw new PipelineError('ALERTS_BEHIND', 'retry', this.trouble);
  }

  async write({ id, records }: SinkBatch<EmailEvent>, signal: AbortSignal): Promise<readonly SinkVerdict[]> {
    // Read first: one that cannot be read lets the runner call again without it.
    const events = records.flatMap(({ topic, value, isPutBack }): Reported[] => {
      const type = eventTypeOf(topic);
      return value && type && !isPutBack ? [{ ...value, type }] : [];
    });
    const verdicts = records.map(() => DELIVERED);
    return (
      (await this.turn.add(async (): Promise<readonly SinkVerdict[]> => {
        signal.throwIfAborted();
        const state = await this.opened();
        if (!state) {
          const afterMs = Math.max(OPENING_PAUSE_MS, this.openAfter - performance.now());
          return records.map(() => ({ outcome: 'retry', code: 'ALERTS_NOT_OPEN', afterMs }));
        }
        if (state.has(id)) return verdicts;
        const now = this.options.now();
        for (const event of events) state.windows.add(event, now);
        await this.transact(() => state.write({ batchId: id }));
        return verdicts;
      })) ?? []
    );
  }

  /** Judges everything, and tells what begins and ends. Called by a timer; never throws. */
  async judge(): Promise<void> {
    await this.turn.add(async () => {
      if (!this.isOwner) {
        this.options.measures.forget();
        return;
      }
      try {
        const state = await this.opened();
        if (!state) return;
        if (!this.options.isCurrent()) {
          this.trouble = 'not all events that were written have been read';
          return;
        }
        await this.judgeAll(state);
        this.trouble = undefined;
      } catch (error) {
        this.trouble = codeOf(error);
        this.options.logger.warn({ code: codeOf(error), err: error }, 'the mail cannot be judged now');
      }
    });
  }

  async close(): Promise<void> {
    this.isOwner = false;
    this.turn.clear();
    await this.turn.add(() => this.forget());
    this.options.measures.forget();
  }

  private async judgeAll(state: AlertState): Promise<void> {
    const now = this.options.now();
    for (const at of momentsOf(state.judgedAt, now)) {
      const isNow = at === now;
      const rates = judgeRates(state.windows, at, this.options.settings);
      // Silence is of the clock: what was silent then is silent now, or is not.
      const findings = isNow ? [...rates, ...judgeSilence(state.windows, now, this.options.settings)] : rates;
      const told = state.book.step(findings, at, (rule) => isNow || rule !== 'silence');
      if (told.size > 0) await this.transact(() => state.write({ judgedAt: at, told }));
      state.book.take(told, findings);
      this.tell(told);
    }
    state.judgedAt = now;
    state.windows.expire(now);
    this.options.measures.judged(now, state);
  }

  private tell(told: ReadonlyMap<string, Alert>): void {
    for (const { status, rule, level, source, alert_id, advice, value, of } of told.values()) {
      // The name `level` is the log's own.
      const line = { alert: alert_id, rule, severity: level, source, advice, value, of };
      this.options.logger[status === 'firing' ? 'warn' : 'info'](line, `an alert on the mail is ${status}`);
      this.options.measures.told.inc({ rule, level, status });
    }
  }

  /** Undefined: it is another's, or not yet to be opened again. */
  private async opened(): Promise<AlertState | undefined> {
    if (this.state || !this.isOwner || performance.now() < this.openAfter) return this.state;
    this.state = await AlertState.open(this.options.log, this.options.codecs);
    return this.state;
  }

  /** What failed may hold all the same: only what is read back tells. */
  private async transact(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.forget();
      if (codeOf(error) === 'KAFKA_FENCED') {
        this.options.measures.forget();
        this.openAfter = performance.now() + (this.options.pauses?.fencedMs ?? FENCED_PAUSE_MS);
      }
      throw error;
    }
  }

  private async forget(): Promise<void> {
    const { state } = this;
    this.state = undefined;
    await state?.close();
  }
}

/** When to judge: now, and where that was not done for long, each five minutes since. The first time nothing of before is. */
export function momentsOf(judgedAt: number, now: number): number[] {
  if (judgedAt <= 0) return [now];
  const moments = [];
  const first = Math.max(judgedAt, now - MOST_STEPS * STEP_MS) + STEP_MS;
  for (let at = first; at < now; at += STEP_MS) moments.push(at);
  return [...moments, now];
}

/** Until it is asked to stop. */
export async function judgeRegularly(sink: AlertsSink, everyMs: number, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await pause(everyMs, stopped);
    if (!stopped.aborted) await sink.judge();
  }
}
