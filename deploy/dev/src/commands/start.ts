import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Action, Command, type CommonOptions, examples, onRun, whole } from '@email-events/cli/command';
import { EXIT, type ExitCode } from '@email-events/cli/exit-codes';
import { homeFolder, pathsOf } from '@email-events/cli/home';
import { echo as echoText, note, print, printJson, progress } from '@email-events/cli/output';
import { type RunState, readState } from '@email-events/cli/state-file';
import { PipelineError } from '@email-events/core/errors';
import { renderBanner, webhooksText } from '../run/banner.ts';
import { type DemoResult, runDemo } from '../run/demo/demo.ts';
import { renderReport, reportJson } from '../run/demo/report.ts';
import { type RunningPipeline, type Session, withPipeline } from '../run/pipeline.ts';
import { createReporter } from '../run/reporter.ts';

export function startCommand(): Command {
  const command = new Command('start')
    .description('What npm start runs: up, and with --demo also traffic and a report of what came out')
    .option(
      '--demo',
      'send signed traffic of several ESPs, wait until it is through, compare and report',
      false,
    )
    .option('--exit', 'with --demo: stop everything afterwards; exits 0 only if all figures agree', false)
    .option('--events <n>', 'with --demo: distinct events to send', whole, 20_000)
    .option('--seed <n>', 'with --demo: the same seed makes the same traffic', whole)
    .option('--any-ports', 'take any free ports in place of the usual ones', false);
  onRun<StartOptions>(command, startAction);
  return examples(command, 'start', 'start --demo', 'start --demo --exit --events 50000 --seed 7');
}

export function upCommand(): Command {
  const command = new Command('up')
    .description('Start the whole pipeline on this machine: Kafka, registry, ClickHouse and all services')
    .option('--detach', 'leave it running and return when it is ready', false)
    .option('--any-ports', 'take any free ports in place of the usual ones', false);
  onRun<UpOptions>(command, upAction);
  return examples(command, 'up', 'up --detach', 'status', 'down');
}

export interface StartOptions {
  readonly demo: boolean;
  readonly exit: boolean;
  readonly events: number;
  readonly seed?: number;
  readonly anyPorts: boolean;
}

type Options = Partial<StartOptions> & Pick<StartOptions, 'anyPorts'> & CommonOptions;

export const startAction: Action<StartOptions> = (options) => runForeground(options);

/** start and up: runs until it is asked to stop, or until the demo is over. */
export async function runForeground(
  options: Options,
  onReady: (pipeline: RunningPipeline) => void = () => {},
): Promise<ExitCode> {
  const begin = performance.now();
  const elapsed = () => `${((performance.now() - begin) / 1000).toFixed(1)} s`;
  let started = false;
  try {
    return await withPipeline(
      {
        home: homeFolder(),
        baseConfig: options.config,
        anyPorts: options.anyPorts,
        reporter: createReporter(note, progress),
      },
      async (pipeline, session) => {
        note(`everything runs after ${elapsed()}\n`);
        started = true;
        onReady(pipeline);
        const result = options.demo ? await demo(pipeline, session, options) : undefined;
        if (result && options.exit) return result.agrees ? EXIT.ok : EXIT.failed;
        if (options.json && !result) printJson({ urls: pipeline.urls, admin: pipeline.admin });
        else if (!options.json) print(`${renderBanner(pipeline)}\n\nCtrl-C stops everything; data is kept.`);
        await session.asked;
        return EXIT.ok;
      },
    );
  } catch (error) {
    if (isAbort(error)) return EXIT.interrupted;
    throw error;
  } finally {
    if (started) note(`stopped; it ran for ${elapsed()}`);
  }
}

async function demo(pipeline: RunningPipeline, { signal }: Session, options: Options): Promise<DemoResult> {
  const result = await runDemo(pipeline, {
    events: options.events ?? 20_000,
    seed: options.seed ?? 1,
    signal,
    quiet: options.json,
    note: progress,
  });
  if (options.json) printJson(reportJson(result));
  else print(`\n${await renderReport(result)}\n`);
  return result;
}

const isAbort = (error: unknown) => error instanceof Error && error.name === 'AbortError';

export interface UpOptions {
  readonly detach: boolean;
  readonly anyPorts: boolean;
}

export const upAction: Action<UpOptions> = (options) =>
  options.detach ? runDetached(options) : runForeground(options);

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const POLL_MS = 200;

/** Runs the same command without --detach in a new session, and shows its output until it is ready. */
async function runDetached({ anyPorts, config, json }: UpOptions & CommonOptions): Promise<ExitCode> {
  const paths = pathsOf(homeFolder());
  if (readState(paths)) {
    throw new PipelineError('RUN_ALREADY_RUNNING', 'fatal', `a pipeline runs on ${paths.home} already`);
  }
  const logFile = join(paths.logs, 'pipeline.log');
  mkdirSync(paths.logs, { recursive: true });
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  const log = openSync(logFile, 'a', 0o600);
  const args = [MAIN, 'up', ...(anyPorts ? ['--any-ports'] : []), ...(config ? ['--config', config] : [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const echo = echoFrom(logFile, json ? () => {} : echoText);
  for (;;) {
    await delay(POLL_MS);
    if (child.exitCode !== null || child.signalCode !== null) {
      echo();
      throw new PipelineError('RUN_SERVICE_FAILED', 'fatal', `it did not start; its log is ${logFile}`);
    }
    const state = readState(paths);
    if (state?.phase !== 'running') {
      echo();
      continue;
    }
    echo();
    child.unref();
    show(state, json);
    return EXIT.ok;
  }
}

/** Writes what was added to the file since the last call. */
function echoFrom(file: string, write: (text: string) => void): () => void {
  let shown = 0;
  return () => {
    const text = readFileSync(file, 'utf8');
    write(text.slice(shown));
    shown = text.length;
  };
}

function show(state: RunState, json: boolean): void {
  if (json) printJson(state);
  else {
    const webhooks = state.urls ? `; webhooks at ${webhooksText(state.urls)}` : '';
    print(`running in the background${webhooks}`);
    note('`npx email-events status` shows all of it, `npx email-events down` stops it');
  }
}
