import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { programOf } from './process-identity.ts';

/** What a dockerd of the system leaves in /var/run and in the list of processes. */
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
