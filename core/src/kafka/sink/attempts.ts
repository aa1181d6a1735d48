import { CodecError } from '@email-events/schemas';
import { codeOf, PipelineError } from '../../errors.ts';
import type { Logger } from '../../telemetry.ts';
import type { BatchSize, OpenBatch } from './batch.ts';
import type { Refusal } from './dead-letters.ts';
import { type Entry, readable } from './entry.ts';
import type { LaneContext } from './lane-context.ts';
import { persist } from './lane-context.ts';
import { LaneLost } from './lane-lost.ts';
import { culpritsOf, isForeseen, messageOf } from './poison-records.ts';
import type { SinkPiece, SinkVerdict } from './sink.ts';

/** The batch has to be tried again, after so many milliseconds. */
export interface Delayed {
  readonly afterMs: number;
}

/** A batch as the sink would write it, cut into pieces. */
export interface Prepared<R> {
  readonly entries: readonly Entry<R>[];
  readonly pieces: readonly SinkPiece[];
}

/** Tries that end with an unforeseen error before the record behind it is looked for: it may pass by itself. */
const UNFORESEEN_TRIES = 3;
/** Pieces that fail one after the other before the rest is left for later: it is hardly them. */
const FAILING_PIECES = 2;

/** Gives the batches of one lane to the sink: piece by piece, what cannot be read or makes the sink fail set aside. */
export class Attempts<R> {
  private readonly lane: string;
  private readonly context: LaneContext<R>;
  private readonly size: BatchSize;
  private readonly log: Logger;

  constructor(lane: string, context: LaneContext<R>, size: BatchSize, log: Logger) {
    this.lane = lane;
    this.context = context;
    this.size = size;
    this.log = log;
  }

  /** Sends nothing. Throws the sink's error, but for records that cannot be read: these are set aside. */
  async prepare(batch: OpenBatch<R>): Promise<Prepared<R>> {
    const { sink } = this.context;
    const { entries } = batch;
    if (entries.length === 0) return { entries, pieces: [] };
    if (!sink.prepare) return { entries, pieces: [this.whole(batch)] };
    try {
      return { entries, pieces: await sink.prepare(entries, batch.plan.intent.cut) };
    } catch (error) {
      if (!setUnreadableAside(batch, error)) throw error;
      return this.prepare(batch);
    }
  }

  /** Undefined: nothing is left to be written. Throws fatal errors, and LaneLost. */
  async attempt(batch: OpenBatch<R>, prepared?: Prepared<R>): Promise<Delayed | undefined> {
    const stopTimer = this.context.measures.writeSeconds.startTimer();
    try {
      return await this.write(batch, prepared ?? (await this.prepare(batch)));
    } catch (error) {
      if (error instanceof LaneLost) throw error;
      if (error instanceof PipelineError && error.disposition === 'fatal') throw error;
      if (setUnreadableAside(batch, error)) return this.attempt(batch);
      if (isForeseen(error) || this.context.abort.aborted) return this.delay(batch, { code: codeOf(error) });
      return this.unforeseen(batch, error);
    } finally {
      stopTimer();
    }
  }

  /** Dead letters, written until the broker has them. */
  async refuse(refusals: readonly Refusal[]): Promise<void> {
    if (refusals.length === 0) return;
    const { deadLetters, lost, now, measures } = this.context;
    await persist('writing dead letters', () => deadLetters.publish(refusals, now()), lost, this.log);
    for (const { entry } of refusals) measures.records.inc({ topic: entry.topic, outcome: 'dead-lettered' });
  }

  private whole({ entries: records, plan }: OpenBatch<R>): SinkPiece {
    const { cut } = plan.intent;
    if (cut !== undefined)
      throw new PipelineError('SINK_CUT_UNKNOWN', 'fatal', `nothing is cut by ${cut} here`);
    return {
      key: '',
      indexes: [...records.keys()],
      write: (id, signal) => this.context.sink.write({ id, records }, signal),
    };
  }

  private async write(batch: OpenBatch<R>, { entries, pieces }: Prepared<R>): Promise<Delayed | undefined> {
    const { lost, abort, sink } = this.context;
    // Before the others: were their rows there and no letter, a version that can read the record would find its piece done.
    const aside = batch.lettersDue();
    await this.refuse(aside);
    batch.lettersWritten(aside);
    batch.pieces = Math.max(1, pieces.length);
    const retries: Retry[] = [];
    // Record by record, what is left of a batch could overtake what the lane's next owner writes of the same records.
    const ended = sink.byRecord ? AbortSignal.any([abort, lost]) : abort;
    let failing = 0;
    for (const piece of rotated(pieces, batch.attempts)) {
      if (batch.isDone(piece.key)) continue;
      if (lost.aborted) throw new LaneLost();
      const id = piece.key === '' ? batch.plan.id : `${batch.plan.id}/${piece.key}`;
      const verdicts = await piece.write(id, ended);
      requireOneEach(verdicts, piece.indexes, sink.name);
      const again = verdicts.filter((verdict): verdict is Retry => verdict.outcome === 'retry');
      for (const each of again) retries.push(each);
      if (again.length === 0) {
        batch.settle(
          piece.key,
          piece.indexes.flatMap((index) => entries[index] ?? []),
          verdicts,
        );
        failing = 0;
      } else if (++failing >= FAILING_PIECES) break;
    }
    const [first] = retries;
    if (!first) {
      this.context.report(this.lane, undefined);
      return undefined;
    }
    batch.waiting = retries.length;
    return this.delay(batch, {
      code: first.code,
      afterMs: longest(retries),
      smaller: retries.some(({ smaller }) => smaller === true),
    });
  }

  private delay(
    batch: OpenBatch<R>,
    { code, afterMs, smaller = false }: { code: string; afterMs?: number | undefined; smaller?: boolean },
  ): Delayed {
    const { measures, report, backoff } = this.context;
    batch.attempts += 1;
    for (const entry of batch.entries) entry.attempts += 1;
    measures.retries.inc({ code });
    report(this.lane, code);
    const { attempts, entries } = batch;
    this.log.warn({ code, records: entries.length, attempts }, 'a write has to be retried');
    if (smaller && !batch.tooLarge) {
      batch.tooLarge = true;
      this.size.tooLarge(entries.length);
    }
    return { afterMs: afterMs ?? backoff(attempts) };
  }

  private async unforeseen(batch: OpenBatch<R>, error: unknown): Promise<Delayed | undefined> {
    const { sink, faults } = this.context;
    batch.unforeseen += 1;
    batch.waiting = batch.entries.length;
    if (batch.unforeseen < UNFORESEEN_TRIES) return this.delay(batch, { code: codeOf(error) });
    const culprits = await culpritsOf(sink, batch, faults, this.context, error);
    if (culprits.length === 0) return this.delay(batch, { code: codeOf(error) });
    for (const culprit of culprits) batch.setAside(culprit.entry, 'SINK_RECORD_FAILED', messageOf(culprit));
    this.log.error(
      { code: 'SINK_RECORD_FAILED', records: culprits.length, cause: codeOf(error) },
      'the sink fails of records: they are set aside',
    );
    return this.attempt(batch);
  }
}

/** Each try begins with another one, so that some that fail do not keep the rest from being tried. */
function rotated<T>(pieces: readonly T[], by: number): T[] {
  const first = pieces.length === 0 ? 0 : by % pieces.length;
  return [...pieces.slice(first), ...pieces.slice(0, first)];
}

type Retry = Extract<SinkVerdict, { outcome: 'retry' }>;

/** True if the error was of records that cannot be read, and they are set aside now. */
function setUnreadableAside<R>(batch: OpenBatch<R>, error: unknown): boolean {
  if (!(error instanceof CodecError)) return false;
  const { entries } = batch;
  const rest = new Set(readable(entries));
  for (const entry of entries)
    if (!rest.has(entry)) batch.setAside(entry, 'SINK_RECORD_UNREADABLE', 'the value cannot be decoded');
  return rest.size < entries.length;
}

/** The longest wait that a verdict asks for; undefined if none does. */
function longest(retries: readonly Retry[]): number | undefined {
  const waits = retries.flatMap(({ afterMs }) => (afterMs === undefined ? [] : [afterMs]));
  return waits.length === 0 ? undefined : waits.reduce((longest, wait) => Math.max(longest, wait));
}

function requireOneEach(verdicts: readonly SinkVerdict[], records: readonly unknown[], sink: string): void {
  if (verdicts.length === records.length) return;
  const found = `${verdicts.length} verdicts for ${records.length} records`;
  throw new PipelineError('SERVICE_UNEXPECTED', 'fatal', `the sink ${sink} gave ${found}`);
}
