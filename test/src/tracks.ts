import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { addTotals, failsRun, NO_TOTALS, parseTotals, type Totals } from './totals.ts';

/** Arguments of a test run in its own process; `NAME=value` before them is for its environment. */
export type Track = readonly string[];

export interface TrackOptions {
  /** The program that runs one track and ends with its totals. */
  readonly script: string;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Stops the tracks that run, in order, and begins no further stage. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** Of the tracks of a stage so many run side by side; the next one begins as soon as one has ended. */
  readonly atOnce: number;
  /** Whether the machine could do with one more beside them. Takes its time, and is asked before each that is added. */
  readonly room?: (signal: AbortSignal) => Promise<boolean>;
}

/** More than these have no ports. */
const MOST_AT_ONCE = 3;

/**
 * Runs the stages one after the other and the tracks of a stage side by side: tests that wait for components leave the cores idle for
 * half of the time, unless something else takes them. What they print comes line by line as it is printed. Returns the totals of all; a track that ends without totals
 * is one failure. A stage that fails does not keep the next one from being run.
 */
export async function runTracks(
  stages: readonly (readonly Track[])[],
  options: TrackOptions,
): Promise<Totals> {
  let totals = NO_TOTALS;
  for (const tracks of stages) {
    const waiting = [...tracks];
    const ended: Totals[] = [];
    const next = async (place: number) => {
      const track = options.signal.aborted ? undefined : waiting.shift();
      if (track) ended.push(await runTrack(track, place, options));
      return track !== undefined;
    };
    const lane = async (place: number) => {
      while (await next(place));
    };
    const spareLane = async (place: number, room: NonNullable<TrackOptions['room']>) => {
      while (waiting.length > 0 && !options.signal.aborted) if (await room(options.signal)) await next(place);
    };
    const { room } = options;
    const lanes = Math.min(options.atOnce, MOST_AT_ONCE, tracks.length);
    const all = Array.from({ length: lanes }, (_, place) => lane(place));
    if (room && lanes < MOST_AT_ONCE) all.push(spareLane(lanes, room));
    await Promise.all(all);
    totals = ended.reduce(addTotals, totals);
  }
  return options.signal.aborted ? addTotals(totals, ONE_FAILURE) : totals;
}

const ONE_FAILURE: Totals = { ...NO_TOTALS, failed: 1 };

const FIRST_PORT = 20_000;
/** Three tracks end below the ports of outgoing connections, which begin at 32768. */
const PORTS_A_TRACK = 3_000;

/** The ports that a track may listen on, so that none takes a port which another has chosen and not bound yet. */
function portsOf(place: number): string {
  const first = FIRST_PORT + place * PORTS_A_TRACK;
  return `${first}-${first + PORTS_A_TRACK}`;
}

async function runTrack(
  track: Track,
  place: number,
  { script, stdout, stderr, signal, env }: TrackOptions,
): Promise<Totals> {
  const first = track.findIndex((word) => !/^[A-Z_]+=/.test(word));
  const settings = track.slice(0, first).map((word) => word.split('=', 2));
  const child = spawn(process.execPath, [script, ...track.slice(first)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, ...Object.fromEntries(settings), STACK_PORTS: portsOf(place) },
  });
  const stop = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  let totals: Totals | undefined;
  const readOutput = relay(child.stdout, (line) => {
    const found = parseTotals(line);
    if (found) totals = found;
    else stdout.write(`${line}\n`);
  });
  const readErrors = relay(child.stderr, (line) => stderr.write(`${line}\n`));
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(String(error)));
    child.once('close', (exitCode, by) => resolve(exitCode ?? by ?? 'unknown'));
  });
  await Promise.all([readOutput, readErrors]);
  signal.removeEventListener('abort', stop);
  // A run that says it passed and exits otherwise did not.
  if (totals && (code === 0 || failsRun(totals, env))) return totals;
  stderr.write(`the tests of ${track.join(' ')} ended with ${code}\n`);
  return addTotals(totals ?? NO_TOTALS, ONE_FAILURE);
}

async function relay(stream: Readable, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }))
    take(line);
}
