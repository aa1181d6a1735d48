import { CodedError } from '@email-events/schemas/errors';
import { codeOf, PipelineError } from '../../errors.ts';
import type { OpenBatch } from './batch.ts';
import type { Entry } from './entry.ts';
import { LaneLost } from './lane-lost.ts';
import type { Sink } from './sink.ts';

/** A record that makes the sink throw an unforeseen error. */
interface Culprit<R> {
  readonly entry: Entry<R>;
  readonly error: unknown;
}

/** How often a batch is searched before its fault is taken for the sink's. */
const SEARCHES = 5;

/** The error is one of this project's, and says by itself what is to be done. */
export const isForeseen = (error: unknown): boolean => error instanceof CodedError;

/**
 * Finds by halves the records of a batch that make the sink throw an unforeseen error. Nothing is written twice by it: a sink with
 * pieces is asked to prepare, which is pure; one that goes by record may be given any of them. Returns none if the batch fails and
 * no single record of it does. Ends with the lane: its next owner writes the same records.
 * Throws LaneLost, and SINK_UNEXPECTED (fatal) where it is the sink: records of several sources fail, a good record does, or nothing can be told apart.
 */
export async function culpritsOf<R>(
  sink: Sink<R>,
  batch: OpenBatch<R>,
  faults: SinkFaults,
  { abort, lost }: { readonly abort: AbortSignal; readonly lost: AbortSignal },
  cause: unknown,
): Promise<Culprit<R>[]> {
  batch.unforeseen = 0;
  batch.searches += 1;
  if (batch.searches > SEARCHES) throw faults.fault('a batch fails again and again', cause);
  const tryOut = trialOf(sink, batch, AbortSignal.any([abort, lost]));
  if (!tryOut) throw faults.fault('it fails of a batch, and cannot be asked about its records', cause);
  if (
    sink.example &&
    sink.prepare &&
    (await thrownBy(() => sink.prepare?.([exampleOf(sink)], batch.plan.intent.cut)))
  )
    throw faults.fault('it fails of a good record', cause);
  const { entries } = batch;
  const tryWhileOwned: TryOut<R> = (some) => {
    if (lost.aborted) throw new LaneLost();
    return tryOut(some);
  };
  const culprits = await halve(entries, tryWhileOwned, ({ entry, error }) =>
    faults.note(sourceOf(sink, entry), error),
  );
  // Of a batch in which nothing passes it is not known whether anything would; more comes behind it.
  return culprits.length === entries.length && !sink.example ? [] : culprits;
}

type TryOut<R> = (entries: readonly Entry<R>[]) => Promise<unknown>;

function trialOf<R>(sink: Sink<R>, { plan }: OpenBatch<R>, signal: AbortSignal): TryOut<R> | undefined {
  if (sink.prepare) return async (entries) => sink.prepare?.(entries, plan.intent.cut);
  if (sink.byRecord) return (entries) => sink.write({ id: `${plan.id}/part`, records: entries }, signal);
  return undefined;
}

async function halve<R>(
  entries: readonly Entry<R>[],
  tryOut: TryOut<R>,
  found: (culprit: Culprit<R>) => void,
): Promise<Culprit<R>[]> {
  const thrown = entries.length === 0 ? undefined : await thrownBy(() => tryOut(entries));
  if (!thrown) return [];
  const [entry] = entries;
  if (entries.length === 1 && entry) {
    const culprit = { entry, error: thrown.error };
    found(culprit);
    return [culprit];
  }
  const middle = entries.length >> 1;
  const first = await halve(entries.slice(0, middle), tryOut, found);
  return [...first, ...(await halve(entries.slice(middle), tryOut, found))];
}

/** Undefined: nothing, or a known error, which says that it is no time to ask. */
async function thrownBy(work: () => unknown): Promise<{ readonly error: unknown } | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof LaneLost) throw error;
    return isForeseen(error) ? undefined : { error };
  }
}

function exampleOf<R>(sink: Sink<R>) {
  if (!sink.example) throw new Error(`${sink.name} has no example`);
  return sink.example;
}

function sourceOf<R>(sink: Sink<R>, entry: Entry<R>): string {
  try {
    return sink.sourceOf?.(entry) ?? entry.topic;
  } catch {
    return entry.topic;
  }
}

/** Without the error's text, which may quote the record. */
export const messageOf = ({ error }: Culprit<unknown>): string =>
  `the sink fails of this record and not of others: ${codeOf(error)}`;

/** A fault that shows in records of this many sources is no fault of theirs. */
const SEVERAL = 2;
/** Longer ago, it may have been another fault. Milliseconds. */
const REMEMBERED_MS = 3_600_000;

/**
 * The sources whose records made a sink throw unforeseen errors. One source may send records that break it; where records of several
 * do, the sink is broken, and must stop rather than set one record after the other aside.
 */
export class SinkFaults {
  private readonly sink: string;
  private readonly now: () => number;
  private readonly seen = new Map<string, number>();

  constructor(sink: string, now: () => number) {
    this.sink = sink;
    this.now = now;
  }

  /** Throws SINK_UNEXPECTED (fatal) if others than this source had such records, too. */
  note(source: string, cause: unknown): void {
    for (const [other, at] of this.seen) if (this.now() - at > REMEMBERED_MS) this.seen.delete(other);
    this.seen.set(source, this.now());
    if (this.seen.size >= SEVERAL)
      throw this.fault(`records of ${this.seen.size} sources make it fail`, cause);
  }

  fault(why: string, cause: unknown): PipelineError {
    return new PipelineError('SINK_UNEXPECTED', 'fatal', `the sink ${this.sink} has a fault: ${why}`, {
      cause,
    });
  }
}
