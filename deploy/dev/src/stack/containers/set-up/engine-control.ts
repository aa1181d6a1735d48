import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from '@email-events/cli/command';
import { EXIT } from '@email-events/cli/exit-codes';
import { print } from '@email-events/cli/output';
import { withLock } from '../../data-dir.ts';
import { StackError } from '../../errors.ts';
import { type ProgressListener, printProgress, withProgress } from '../../progress.ts';
import { connectEngine, type Engine, SOCKET } from '../engine.ts';
import { type Labels, STACK_LABEL, sweep, useOf } from '../ownership.ts';
import {
  type DaemonRecord,
  type DaemonSpec,
  filesOf,
  launchDaemon,
  runningDaemon,
  type StopResult,
  stopDaemon,
} from './daemon.ts';
import { decide, engineAt, gatherFacts, installPackages, systemPath } from './facts.ts';
import { containersOutliveEngine, forgetEarlierRun, pidOf } from './processes.ts';

const OUTCOME = {
  none: 'this checkout has started no container engine: nothing was stopped',
  gone: 'the container engine had ended already',
  stopped: 'the container engine is stopped; its images are kept',
  killed: 'the container engine did not end in time and was killed; its images are kept',
} as const;

export function engineCommand(signal: AbortSignal): Command {
  const engine = new Command('engine').description('Start, stop and show the container engine');
  engine
    .command('start')
    .description('Start an engine if none answers; as root on Debian and Ubuntu, installs it')
    .action(() => start(signal));
  engine
    .command('stop')
    .description('Stop the engine that was started here, and no other')
    .option('--force', 'also while containers run', false)
    .action(stop);
  engine.command('status').description('Whether an engine answers, and whose it is').action(status);
  return engine;
}

async function start(signal: AbortSignal): Promise<void> {
  const { engine, started } = await startEngine({ onProgress: printProgress, signal });
  print(`${started ? 'started' : 'already running, nothing was changed'}: ${await describe(engine)}`);
}

async function stop({ force }: { force: boolean }): Promise<void> {
  if (ownDaemon() && !force) await refuseWhileInUse();
  print(OUTCOME[await stopEngine({ onProgress: printProgress })]);
}

async function status(): Promise<void> {
  try {
    print(`running: ${await describe(await connectEngine())}`);
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    print(`not running: ${error.message}`);
    process.exitCode = EXIT.notRunning;
  }
}

async function describe({ docker }: Engine): Promise<string> {
  const [{ Version }, { Driver, Name }] = await Promise.all([docker.version(), docker.info()]);
  const own = ownDaemon();
  const whose = own
    ? `started by this checkout (process ${own.dockerd.pid}, log in ${ENGINE_FOLDER})`
    : 'not started by this checkout';
  return `Docker ${Version} on ${Name}, storage ${Driver}, ${whose}`;
}

/**
 * Refuses while another checkout runs containers: all checkouts of the machine share the engine. Stacks without an owner
 * are no reason to refuse; those kept for reuse are removed, since they could not be used again after the stop.
 */
async function refuseWhileInUse(): Promise<void> {
  const engine = await connectEngine();
  const running = (await engine.docker.listContainers()).filter(({ Labels }) => !isOrphaned(Labels));
  if (running.length === 0) return void (await sweep(engine, { kept: true }));
  const names = running.map(({ Names, Id }) => Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12));
  throw new StackError(
    'STACK_IN_USE',
    `the container engine runs ${names.join(', ')}: stop ${names.length === 1 ? 'it' : 'them'} first, or add --force`,
  );
}

function isOrphaned(labels: Labels): boolean {
  const use = labels[STACK_LABEL] === undefined ? undefined : useOf(labels);
  return use === 'left' || use === 'kept';
}

/** Record, log and lock of the engine that this checkout has started. */
export const ENGINE_FOLDER = fileURLToPath(
  new URL('../../../../../../.email-events/engine', import.meta.url),
);

const START_DEADLINE_MS = 60_000;
const POLL_MS = 100;

export interface EngineOptions {
  readonly onProgress: ProgressListener;
  /** Calls off the wait for the engine; packages that are being installed are installed first. */
  readonly signal?: AbortSignal;
}

export interface StartedEngine {
  readonly engine: Engine;
  /** False: an engine answered already, and nothing was changed. */
  readonly started: boolean;
}

/**
 * An engine that answers: one that is there, else one that is installed and started here, if it may be.
 * @throws StackError STACK_ENGINE_UNAVAILABLE, its first line says why and what to do; STACK_INSTALL_FAILED; STACK_ABORTED
 */
export async function startEngine(options: EngineOptions): Promise<StartedEngine> {
  const present = await connectIfAny();
  if (present) return { engine: present, started: false };
  // Before the lock: who may not start an engine may not be able to lock either.
  await packagesToStart();
  return withLock(filesOf(ENGINE_FOLDER).lock, () => startAlone(options), { signal: options.signal });
}

/**
 * Stops the engine that this checkout has started, and no other.
 * @throws StackError STACK_ENGINE_UNAVAILABLE if this user may not
 */
export async function stopEngine(options: Pick<EngineOptions, 'onProgress'>): Promise<StopResult> {
  if (!existsSync(filesOf(ENGINE_FOLDER).record)) return 'none';
  if (process.getuid?.() !== 0)
    throw new StackError(
      'STACK_ENGINE_UNAVAILABLE',
      'root has started a container engine from this checkout, and only root can stop it',
    );
  const stop = async () => {
    const result = await stopDaemon(ENGINE_FOLDER);
    if (!containersOutliveEngine()) return result;
    // They end with an engine that finds them again.
    await launch();
    await stopDaemon(ENGINE_FOLDER);
    return result;
  };
  return withLock(filesOf(ENGINE_FOLDER).lock, () =>
    withProgress(options.onProgress, { component: 'engine', step: 'stop' }, stop),
  );
}

/** The engine that this checkout has started, if it runs. */
export function ownDaemon(): DaemonRecord | null {
  return runningDaemon(ENGINE_FOLDER);
}

async function startAlone({ onProgress, signal }: EngineOptions): Promise<StartedEngine> {
  // The process that held the lock before may have started it.
  const present = await connectIfAny();
  if (present) return { engine: present, started: false };
  await installPackages(await packagesToStart(), onProgress);
  return withProgress(onProgress, { component: 'engine', step: 'start' }, async () => {
    // Such a package may have the system start it.
    if (await otherAnswers(signal)) return { engine: await connectEngine(), started: false };
    try {
      await launch(signal);
    } catch (error) {
      // Another checkout's was faster.
      if (await otherAnswers(signal)) return { engine: await connectEngine(), started: false };
      throw error;
    }
    return { engine: await connectEngine(), started: true };
  });
}

async function connectIfAny(): Promise<Engine | null> {
  try {
    return await connectEngine();
  } catch (error) {
    if (error instanceof StackError && error.code === 'STACK_ENGINE_UNAVAILABLE') return null;
    throw error;
  }
}

async function packagesToStart(): Promise<readonly string[]> {
  const decision = decide(await gatherFacts(process.env));
  if (decision.do === 'refuse') throw new StackError('STACK_ENGINE_UNAVAILABLE', decision.why);
  return decision.packages;
}

async function launch(signal?: AbortSignal): Promise<void> {
  forgetEarlierRun();
  const spec: DaemonSpec = {
    file: 'dockerd',
    args: [],
    env: { ...process.env, PATH: systemPath(process.env) },
    answers: async () => (await engineAt(SOCKET)) === 'answers',
    pidOf,
    startDeadlineMs: START_DEADLINE_MS,
  };
  await launchDaemon(ENGINE_FOLDER, spec, signal);
}

/** Waits for a dockerd that someone else started and that does not answer yet. False if there is none. */
async function otherAnswers(signal?: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + START_DEADLINE_MS;
  for (let pid = pidOf('dockerd'); pid !== undefined; pid = pidOf('dockerd')) {
    if ((await engineAt(SOCKET)) === 'answers') return true;
    if (signal?.aborted)
      throw new StackError('STACK_ABORTED', 'the start of the container engine was called off');
    if (performance.now() > deadline) {
      const why = `dockerd runs (process ${pid}) but does not answer at ${SOCKET}: look at its log, and stop it`;
      throw new StackError('STACK_ENGINE_UNAVAILABLE', why);
    }
    await delay(POLL_MS);
  }
  return false;
}
