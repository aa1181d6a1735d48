import { writeSync } from 'node:fs';
import { parseCLI, type Reporter, startVitest, type Vitest } from 'vitest/node';
import { idleShare } from './src/idle-cores.ts';
import { failsRun, formatTotals, type Totals, TotalsReporter } from './src/totals.ts';
import { runTracks, type Track } from './src/tracks.ts';

const STACK_TRACKS = stackTracks(process.env);
/**
 * In CI: what only containers do, the whole pipeline and restarts of brokers among it. What does not ask where its components run is run
 * on processes; `STACK=containers npm test` repeats it.
 */
const ON_CONTAINERS: Track = ['STACK=containers', '--project', 'containers'];
/**
 * Runs every vitest project, or what the arguments select, and ends with one line of true totals:
 * `N passed, N failed`, with `, N skipped` if there are any. Exits 1 if anything failed, and in CI if anything was
 * skipped, since a test that was skipped proves nothing.
 */
const ALL: readonly (readonly Track[])[] = [
  // These use all cores.
  [['--project', 'unit', '--project', 'contracts']],
  // These wait for components most of the time. What takes longest begins first.
  [
    ...(process.env.STACK === 'containers' ? [['--project', 'containers']] : []),
    ['--project', 'faults'],
    ...STACK_TRACKS.slice(0, 1),
    ...(process.env.TEST_CONTAINERS === 'beside' ? [ON_CONTAINERS] : []),
    ...STACK_TRACKS.slice(1),
    // Small ones, so that no lane waits long for the others at the end.
    ...shards(8, ['--project', 'own-stack']),
  ],
];
/** Of those that wait for components, whatever else the machine does. */
const AT_ONCE = 2;
/** One more, if that much of all cores was idle for so long: on average a track uses a third of two cores. */
const ROOM = { share: 0.3, ms: 10_000 };
const CLOSE_DEADLINE_MS = 60_000;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const totals = new TotalsReporter();
let closing: Promise<void> | undefined;

/**
 * vitest exits at once on a signal, without its set-ups' teardowns. Here the tests are given up, the teardowns stop
 * the stack, and what was counted so far is said. Called before the set-ups, which may add listeners of their own.
 */
const takeOverSignals: Reporter = {
  onInit(vitest) {
    for (const signal of SIGNALS) {
      process.removeAllListeners(signal);
      process.on(signal, () => void interrupt(vitest));
    }
  },
};

if (process.argv.length > 2) {
  await run();
  end(totals.totals);
}
end(await runAll());

/** An interrupt is passed on: each track stops its own stack. */
function runAll(): Promise<Totals> {
  const interrupted = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => interrupted.abort());
  const { stdout, stderr, env } = process;
  const { signal } = interrupted;
  const room = async (interrupt: AbortSignal) => (await idleShare(ROOM.ms, interrupt)) >= ROOM.share;
  return runTracks(ALL, { script: import.meta.filename, stdout, stderr, env, signal, atOnce: AT_ONCE, room });
}

/** Half of the files on one stack and half on another, unless there is only one: that of someone else, or that which is kept. */
function stackTracks(env: NodeJS.ProcessEnv): Track[] {
  const all = ['--project', 'stack'];
  return env.STACK === 'external' || env.STACK_REUSE === '1' ? [all] : shards(2, all);
}

function shards(count: number, track: Track): Track[] {
  return Array.from({ length: count }, (_, i) => [...track, `--shard=${i + 1}/${count}`]);
}

async function run(): Promise<void> {
  const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)]);
  try {
    const reporters = [...listOf(options.reporters), totals, takeOverSignals];
    const vitest = await startVitest('test', filter, {
      ...options,
      watch: false,
      reporters: reporters as NonNullable<typeof options.reporters>,
    });
    await close(vitest);
  } catch (error) {
    process.stderr.write(`the tests cannot be run: ${error instanceof Error ? error.stack : error}\n`);
    totals.addFailure();
  }
}

async function interrupt(vitest: Vitest): Promise<void> {
  if (closing) return;
  process.stderr.write('interrupted: stopping the tests and the stack\n');
  totals.addFailure();
  // Both reject with what the interrupt made fail, and one failure is counted already.
  vitest.cancelCurrentRun('keyboard-input').catch(() => {});
  await close(vitest).catch(() => {});
  end(totals.totals);
}

/** Once, whether the run has ended or was interrupted. */
function close(vitest: Vitest): Promise<void> {
  const timer = setTimeout(() => {
    process.stderr.write(`the tests' teardown did not end within ${CLOSE_DEADLINE_MS} ms\n`);
    totals.addFailure();
    end(totals.totals);
  }, CLOSE_DEADLINE_MS);
  closing ??= vitest.close().finally(() => clearTimeout(timer));
  return closing;
}

/** Not by itself: a handle that some test left open would keep the process here for ever. */
function end(all: Totals): never {
  const failed = failsRun(all, process.env) || Boolean(process.exitCode);
  writeSync(process.stdout.fd, `${formatTotals(all)}\n`);
  process.exit(failed ? 1 : 0);
}

function listOf<T>(reporters: T | T[] | undefined): (T | string)[] {
  if (reporters === undefined) return ['default'];
  return Array.isArray(reporters) ? reporters : [reporters];
}
