import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Which process exactly. A pid alone may be another process's by now: it is given anew when its own has ended. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it was started, in the kernel's clock ticks since the boot. */
  readonly startTicks: number;
  readonly bootId: string;
}

const POLL_MS = 50;

/** Null if no such process runs. Of Linux only. `proc`: where the kernel shows its processes. */
export function identify(pid: number, proc = '/proc'): ProcessIdentity | null {
  const stat = read(join(proc, String(pid), 'stat'));
  const bootId = read(join(proc, 'sys/kernel/random/boot_id'));
  if (stat === null || bootId === null) return null;
  // The second field is the program's name in brackets and may contain blanks and brackets; the third is the state.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTicks = Number(fields[19]);
  const ended = fields[0] === 'Z' || fields[0] === 'X';
  return ended || !Number.isSafeInteger(startTicks) ? null : { pid, startTicks, bootId: bootId.trim() };
}

export function isAlive(process: ProcessIdentity, proc = '/proc'): boolean {
  const now = identify(process.pid, proc);
  return now !== null && now.startTicks === process.startTicks && now.bootId === process.bootId;
}

/** Name of the program that a process runs, null if there is no such process. */
export function programOf(pid: number, proc = '/proc'): string | null {
  if (identify(pid, proc) === null) return null;
  return read(join(proc, String(pid), 'comm'))?.trim() ?? null;
}

/**
 * Ends a process with SIGTERM, and with SIGKILL when the deadline has passed. Resolves when it is gone: whether it
 * ended in order. Does nothing to another process that has its pid by now.
 */
export async function endProcess(identity: ProcessIdentity, deadlineMs: number): Promise<boolean> {
  if (!isAlive(identity)) return true;
  process.kill(identity.pid, 'SIGTERM');
  for (const deadline = performance.now() + deadlineMs; performance.now() < deadline; await delay(POLL_MS))
    if (!isAlive(identity)) return true;
  if (isAlive(identity)) process.kill(identity.pid, 'SIGKILL');
  while (isAlive(identity)) await delay(POLL_MS);
  return false;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Traces of the system's dockerd in /var/run and in the list of processes. */
const RUN_FOLDER = '/var/run/docker/containerd';
const PID_FILES = { dockerd: '/var/run/docker.pid', containerd: `${RUN_FOLDER}/containerd.pid` } as const;
export type EngineProgram = keyof typeof PID_FILES;

// The kernel cuts names of programs.
const SHIM = 'containerd-shim';

/** Pid of a program of the engine that really runs. */
export function pidOf(program: EngineProgram): number | undefined {
  let pid: number;
  try {
    pid = Number(readFileSync(PID_FILES[program], 'utf8'));
  } catch {
    return undefined;
  }
  return pid > 0 && programOf(pid) === program ? pid : undefined;
}

/**
 * Where /var/run outlives a restart of the machine, the pids in the files of an earlier run may be other processes' by
 * now, and dockerd would believe that it, or its containerd, is running.
 */
export function forgetEarlierRun(): void {
  for (const program of Object.keys(PID_FILES) as EngineProgram[])
    if (pidOf(program) === undefined) rmSync(PID_FILES[program], { force: true });
}

/** Containers of a dockerd that was killed run on below a process each that waits for the next dockerd. */
export function containersOutliveEngine(): boolean {
  if (pidOf('dockerd') !== undefined) return false;
  const pids = readdirSync('/proc').map(Number).filter(Number.isSafeInteger);
  return pids.some(
    (pid) => programOf(pid) === SHIM && commandLine(pid).includes(`${RUN_FOLDER}/containerd.sock`),
  );
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
