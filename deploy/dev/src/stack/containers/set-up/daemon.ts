import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../../errors.ts';
import type { EngineProgram } from './processes.ts';
import { endProcess, identify, isAlive, type ProcessIdentity } from './processes.ts';

/** An engine's process that outlives the command that starts it, and is known again by a file. */
export interface DaemonSpec {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Whether it answers a real request now. */
  answers(): Promise<boolean>;
  /** Who is on file as running this program, on the whole machine: it may be another engine's. */
  pidOf(program: EngineProgram): number | undefined;
  readonly startDeadlineMs: number;
}

export interface DaemonRecord {
  readonly dockerd: ProcessIdentity;
  readonly containerd?: ProcessIdentity;
}

export type StopResult =
  /** There is none that was started by this checkout. */
  | 'none'
  /** It had ended by itself. */
  | 'gone'
  | 'stopped'
  /** It did not end in time and was killed. */
  | 'killed';

const POLL_MS = 50;
const LOG_TAIL_LINES = 20;
// dockerd gives its containers 15 s.
const STOP_DEADLINE_MS = 60_000;
const CONTAINERD_DEADLINE_MS = 15_000;
const REMEDY =
  'Where networks of containers are not permitted (iptables and bridges need CAP_NET_ADMIN, cgroups must be mounted), no engine can run: use STACK=local, or DOCKER_HOST with an engine elsewhere.';

/** Files of an engine's folder. */
export function filesOf(folder: string) {
  return {
    log: join(folder, 'dockerd.log'),
    record: join(folder, 'daemon.json'),
    lock: join(folder, 'daemon.lock'),
  };
}

/**
 * Starts it in a new session and waits until it answers. The caller must hold the folder's lock.
 * @throws StackError STACK_ENGINE_UNAVAILABLE, ending with its log; STACK_ABORTED. It is ended then.
 */
export async function launchDaemon(
  folder: string,
  spec: DaemonSpec,
  signal?: AbortSignal,
): Promise<DaemonRecord> {
  mkdirSync(folder, { recursive: true });
  const { log } = filesOf(folder);
  const child = await spawnInto(log, spec);
  const pid = child.pid as number;
  const dockerd = identify(pid);
  // Already now: should this process be killed while it waits, the daemon can still be stopped.
  if (dockerd) writeRecord(folder, { dockerd });
  try {
    await ready(child, spec, log, signal);
    if (!dockerd) throw failure('dockerd ended as soon as it was started', log);
    const record = { dockerd, ...containerdOf(pid, spec) };
    writeRecord(folder, record);
    child.unref();
    return record;
  } catch (error) {
    await endAll({ dockerd, ...containerdOf(pid, spec) });
    rmSync(filesOf(folder).record, { force: true });
    throw error;
  }
}

/** The daemon of this folder, if it runs. */
export function runningDaemon(folder: string): DaemonRecord | null {
  const record = readRecord(folder);
  return record && isAlive(record.dockerd) ? record : null;
}

/** Stops the daemon that `launchDaemon` started on this folder, and no other. Holds the folder's lock, as there. */
export async function stopDaemon(folder: string): Promise<StopResult> {
  const record = readRecord(folder);
  if (!record) return 'none';
  const wasAlive = isAlive(record.dockerd);
  const inOrder = await endAll(record);
  rmSync(filesOf(folder).record, { force: true });
  if (!wasAlive) return 'gone';
  return inOrder ? 'stopped' : 'killed';
}

/** containerd last, and only if dockerd left it behind: it is dockerd that stops it. */
async function endAll(all: {
  dockerd: ProcessIdentity | null;
  containerd?: ProcessIdentity;
}): Promise<boolean> {
  const inOrder = all.dockerd === null || (await endProcess(all.dockerd, STOP_DEADLINE_MS));
  if (all.containerd) await endProcess(all.containerd, CONTAINERD_DEADLINE_MS);
  return inOrder;
}

async function spawnInto(log: string, { file, args, env }: DaemonSpec): Promise<ChildProcess> {
  if (existsSync(log)) renameSync(log, `${log}.1`);
  const output = openSync(log, 'a');
  const child = spawn(file, args, { env, cwd: '/', stdio: ['ignore', output, output], detached: true });
  closeSync(output);
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new StackError('STACK_ENGINE_UNAVAILABLE', `${file} cannot be run: ${(cause as Error).message}`, {
      cause,
    });
  }
  return child;
}

async function ready(
  child: ChildProcess,
  spec: DaemonSpec,
  log: string,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + spec.startDeadlineMs;
  while (child.exitCode === null && child.signalCode === null) {
    if (signal?.aborted)
      throw new StackError('STACK_ABORTED', 'the start of the container engine was called off');
    if (performance.now() > deadline)
      throw failure(`dockerd does not answer within ${spec.startDeadlineMs / 1000} s`, log);
    if (isOnFile(child.pid as number, spec) && (await spec.answers())) return;
    await delay(POLL_MS);
  }
  throw failure(
    `dockerd ended while it was starting (${child.signalCode ?? `exit code ${child.exitCode}`})`,
    log,
  );
}

/** The first line alone says what to do, since some callers show only that. */
function failure(what: string, log: string): StackError {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
  const message = [`${what}: ${lastWords(lines)}`, REMEDY, `${log} ends with:`, ...lines].join('\n');
  return new StackError('STACK_ENGINE_UNAVAILABLE', message);
}

/** dockerd's reason is below its log, in lines without a time. */
function lastWords(lines: readonly string[]): string {
  const logged = lines.findLastIndex((line) => line.startsWith('time='));
  const words = lines.slice(logged + 1).map((line) => line.trim());
  return words.length > 0 ? words.join(' ') : (lines.at(-1) ?? '');
}

/** Where another dockerd was faster, that one answers, and what is on file is that one's. */
function isOnFile(dockerd: number, spec: DaemonSpec): boolean {
  const holder = spec.pidOf('dockerd');
  return holder === undefined || holder === dockerd;
}

/** The containerd that this dockerd runs as a child process, if it does. */
function containerdOf(dockerd: number, spec: DaemonSpec): { containerd?: ProcessIdentity } {
  if (!isOnFile(dockerd, spec)) return {};
  const pid = spec.pidOf('containerd');
  const containerd = pid === undefined ? null : identify(pid);
  return containerd ? { containerd } : {};
}

function writeRecord(folder: string, record: DaemonRecord): void {
  const { record: path } = filesOf(folder);
  writeFileSync(`${path}.new`, JSON.stringify(record));
  renameSync(`${path}.new`, path);
}

function readRecord(folder: string): DaemonRecord | null {
  try {
    return JSON.parse(readFileSync(filesOf(folder).record, 'utf8'));
  } catch {
    return null;
  }
}
