import { writeSync } from 'node:fs';
import { parseCLI, startVitest, type Vitest } from 'vitest/node';
import { failsRun, formatTotals, type Totals, TotalsReporter } from './src/totals.ts';

/**
 * Runs every vitest project, or what the arguments select, and ends with one line of true totals:
 * `N passed, N failed`, with `, N skipped` if there are any. Exits 1 if anything failed, and in CI if anything was
 * skipped, since a test that was skipped proves nothing.
 */
const CLOSE_DEADLINE_MS = 120_000;

const reporter = new TotalsReporter();
let vitest: Vitest | undefined;
let interrupted = false;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true;
    // Ends the running tests; the set-ups' teardowns, which stop the stack, follow in close.
    void vitest?.cancelCurrentRun('keyboard-input');
  });
}

await run();
const totals: Totals = interrupted
  ? { ...reporter.totals, failed: reporter.totals.failed + 1 }
  : reporter.totals;
const failed = failsRun(totals, process.env) || Boolean(process.exitCode);
writeSync(process.stdout.fd, `${formatTotals(totals)}\n`);
// Not by itself: a handle that some test left open would keep the process here for ever.
process.exit(failed ? 1 : 0);

async function run(): Promise<void> {
  const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)]);
  try {
    vitest = await startVitest('test', filter, {
      ...options,
      watch: false,
      reporters: [...listOf(options.reporters), reporter] as NonNullable<typeof options.reporters>,
    });
    await closeInTime(vitest);
  } catch (error) {
    process.stderr.write(`the tests cannot be run: ${error instanceof Error ? error.stack : error}\n`);
    reporter.addFailure();
  }
}

async function closeInTime(running: Vitest): Promise<void> {
  const timer = setTimeout(() => {
    process.stderr.write(`the tests' teardown did not end within ${CLOSE_DEADLINE_MS} ms\n`);
    process.exit(1);
  }, CLOSE_DEADLINE_MS);
  await running.close();
  clearTimeout(timer);
}

function listOf<T>(reporters: T | T[] | undefined): (T | string)[] {
  if (reporters === undefined) return ['default'];
  return Array.isArray(reporters) ? reporters : [reporters];
}
