import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU seconds of a process since its start: user and system, all threads, those that have ended too. The same for every program. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program, in parentheses, may hold blanks.
  const [utime, stime] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return ((utime ?? Number.NaN) + (stime ?? Number.NaN)) / TICKS_PER_SECOND;
}

export interface Memory {
  /** Highest resident size since the start. */
  readonly peakMb: number;
  readonly residentMb: number;
  /** Of it, pages that belong to no file: what the system cannot take back. */
  readonly anonymousMb: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
    if (kib === undefined) throw new Error(`/proc/${pid}/status does not say ${name}`);
    return Math.round((Number(kib) * 1_024) / 1e6);
  };
  return {
    peakMb: megabytes('VmHWM'),
    residentMb: megabytes('VmRSS'),
    anonymousMb: megabytes('RssAnon'),
  };
}

/** Ids of a process and of those that it has started. */
export function processesOf(pid: number): number[] {
  const started = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...started.map(Number)];
}
