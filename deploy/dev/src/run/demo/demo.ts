import { setTimeout as delay } from 'node:timers/promises';
import { serviceLag } from '@email-events/cli/groups';
import {
  difference,
  readSpooled,
  readTotals,
  sameTotals,
  type Totals,
} from '@email-events/cli/status/totals';
import { connect } from '@email-events/sink-clickhouse';
import {
  createProgressBar,
  type Expectation,
  runSimulation,
  type SimulationResult,
} from '../../simulate/index.ts';
import type { RunningPipeline } from '../pipeline.ts';
import { type Check, compare, isComplete } from './compare.ts';
import { type Found, readFound } from './found.ts';

export interface DemoOptions {
  readonly events: number;
  readonly seed: number;
  /** Events a second; default: as fast as they are answered. */
  readonly rate?: number;
  /** How often a request is tried while the answer is "later"; default: a few seconds' worth. */
  readonly attempts?: number;
  /** Give up when nothing has moved for this long; longer where services are killed meanwhile. */
  readonly quietMs?: number;
  /** Ends the sending early; what was sent is waited for and compared. */
  readonly enough?: AbortSignal;
  readonly signal: AbortSignal;
  /** No progress on the terminal. */
  readonly quiet: boolean;
  /** How far it is, now and then. */
  readonly note: (line: string) => void;
}

export interface DemoResult {
  readonly sent: SimulationResult;
  readonly totals: Totals;
  readonly found: Found;
  readonly checks: readonly Check[];
  /** All checks hold and every request was answered as expected. */
  readonly agrees: boolean;
  /** From the last answer of the ingress until nothing was left to do. */
  readonly drainSeconds: number;
}

/**
 * Sends a new run into the running pipeline, waits until it is through and compares both ends. Earlier runs on
 * the same data do not matter: events carry the run's id, and totals are compared with those before the run.
 */
export async function runDemo(pipeline: RunningPipeline, options: DemoOptions): Promise<DemoResult> {
  const clickhouse = connect(pipeline.config.sinks.clickhouse);
  try {
    const lag = async () => {
      const lags = await serviceLag(pipeline.config);
      return lags.reduce((sum, { records }) => sum + records, 0);
    };
    await waitForNoLag(lag, options.signal);
    const read = () => patiently(() => readTotals(pipeline, clickhouse), options.signal);
    const before = await read();
    const spooled = () => patiently(() => readSpooled(pipeline), options.signal);
    const spooledBefore = await spooled();
    const since = Date.now();
    const sent = await send(pipeline, options);
    options.signal.throwIfAborted();

    const begin = performance.now();
    const show = progressLine(sent.expected.emitted, options);
    const copies = sent.uncertain > 0 || (await spooled()) !== spooledBefore;
    const totals = await waitUntilThrough({
      expected: sent.expected,
      copies,
      read: async () => difference(await read(), before),
      lag,
      onProgress: show,
      signal: options.signal,
      ...(options.quietMs === undefined ? {} : { quietMs: options.quietMs }),
    });
    const drainSeconds = (performance.now() - begin) / 1000;
    const found = await readFound(clickhouse, pipeline.urls.receiver, sent.runId, since);
    const checks = compare(sent.expected, totals, found, copies);
    const agrees = sent.unexpected === 0 && checks.every((check) => check.agrees);
    return { sent, totals, found, checks, agrees, drainSeconds };
  } finally {
    await clickhouse.close();
  }
}

async function send(pipeline: RunningPipeline, options: DemoOptions): Promise<SimulationResult> {
  const bar = options.quiet ? undefined : createProgressBar(options.events);
  try {
    return await runSimulation({
      baseUrl: pipeline.urls.ingress,
      credentials: pipeline.sender,
      events: options.events,
      seed: options.seed,
      duplicates: 0.05,
      invalid: 0.01,
      ...(options.rate === undefined ? {} : { rate: options.rate }),
      ...(options.attempts === undefined ? {} : { attempts: options.attempts }),
      enough: options.enough,
      signal: options.signal,
      onProgress: (progress) => bar?.update(progress),
    });
  } finally {
    bar?.stop();
  }
}

const LINE_MS = 1_000;

/** Says now and then how far it is; a pipeline that is through at once says nothing. */
function progressLine(total: number, { quiet, note }: DemoOptions): (totals: Totals) => void {
  let saidAt = performance.now();
  return ({ rows, duplicates, deadLetters }) => {
    if (quiet || performance.now() - saidAt < LINE_MS) return;
    saidAt = performance.now();
    const count = (number: number) => number.toLocaleString('en-US');
    note(
      `in ClickHouse: ${count(rows)} of ${count(total)} · duplicates ${count(duplicates)} · dead letters ${count(deadLetters)}`,
    );
  };
}

export interface WaitOptions {
  readonly expected: Expectation;
  /** Requests may have been received more than once (see compare). */
  readonly copies?: boolean;
  /** The pipeline's counts since the run began. */
  read(): Promise<Totals>;
  /** Records that some service has still to deal with. */
  lag(): Promise<number>;
  onProgress?(totals: Totals): void;
  readonly signal: AbortSignal;
  /** Nothing moves for this long: it will not. */
  readonly quietMs?: number;
  readonly deadlineMs?: number;
  readonly pollMs?: number;
}

const QUIET_MS = 30_000;
const DEADLINE_MS = 600_000;
const POLL_MS = 250;

/**
 * Resolves with the final counts once nothing is left to do anywhere: all figures are there, no service lags, and the
 * figures are the same afterwards. Also resolves, with the counts so far, when nothing has moved for a while.
 */
export async function waitUntilThrough(options: WaitOptions): Promise<Totals> {
  const { expected, signal, quietMs = QUIET_MS, deadlineMs = DEADLINE_MS, pollMs = POLL_MS } = options;
  const begin = performance.now();
  let last = await options.read();
  let movedAt = begin;
  for (;;) {
    signal.throwIfAborted();
    options.onProgress?.(last);
    if (isComplete(expected, last, options.copies) && (await options.lag()) === 0) {
      const again = await options.read();
      if (sameTotals(again, last)) return again;
      last = again;
    }
    const now = performance.now();
    if (now - movedAt > quietMs || now - begin > deadlineMs) return last;
    await delay(pollMs);
    const next = await options.read();
    if (!sameTotals(next, last)) movedAt = performance.now();
    last = next;
  }
}

/** Resolves when no service has anything left to do, so that a run begins on a clean slate; or at the deadline. */
export async function waitForNoLag(
  lag: () => Promise<number>,
  signal: AbortSignal,
  deadlineMs = 60_000,
): Promise<void> {
  const begin = performance.now();
  while ((await lag()) > 0 && performance.now() - begin < deadlineMs) {
    signal.throwIfAborted();
    await delay(POLL_MS);
  }
}

/** Reads again after errors, which pass when a service restarts or a partition moves. Throws the last error at the deadline. */
export async function patiently<T>(
  read: () => Promise<T>,
  signal: AbortSignal,
  deadlineMs = 60_000,
): Promise<T> {
  const begin = performance.now();
  for (;;) {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() - begin > deadlineMs) throw error;
      await delay(POLL_MS);
    }
  }
}
