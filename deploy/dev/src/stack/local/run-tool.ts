import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { StackError } from '../errors.ts';

const OUTPUT_TAIL = 4_000;

export interface ToolResult {
  readonly code: number | null;
  /** All that it printed as its answer: what is to be read by us. */
  readonly stdout: string;
  /** The end of what it printed, both streams: what is to be shown to people. */
  readonly output: string;
}

/** By numbers, as the system knows it. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface ToolOptions {
  readonly cwd?: string;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Whose process it is; by default that of this one. */
  readonly user?: User | undefined;
  /** Calls it off. */
  readonly signal?: AbortSignal | undefined;
  /** Calling it off ends its children as well, as Ctrl-C would: for programs that otherwise wait for theirs. */
  readonly withChildren?: boolean;
}

/** Runs a program to its end. @throws StackError STACK_TOOL_MISSING if there is no such program, STACK_ABORTED */
export function runTool(
  file: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const { cwd, env, user, withChildren = false } = options;
  return new Promise((resolve, reject) => {
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
    const child = spawn(file, args, { cwd, env, ...user, stdio, detached: withChildren });
    let stdout = '';
    let output = '';
    const collect = (text: string) => {
      output = (output + text).slice(-OUTPUT_TAIL);
    };
    const abort = () => {
      if (withChildren && child.pid !== undefined) endGroup(child.pid);
      else child.kill('SIGTERM');
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      collect(text);
    });
    child.stderr.setEncoding('utf8').on('data', collect);
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted) abort();
    child.once('error', (cause) =>
      reject(new StackError('STACK_TOOL_MISSING', `${file} cannot be run`, { cause })),
    );
    child.once('close', (code) => {
      options.signal?.removeEventListener('abort', abort);
      if (options.signal?.aborted) reject(new StackError('STACK_ABORTED', `${file} was called off`));
      else resolve({ code, stdout, output });
    });
  });
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGINT');
  } catch (error) {
    // All of them have ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether a program is on this machine and runs. */
export async function canRun(file: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await runTool(file, args)).code === 0;
  } catch {
    return false;
  }
}

export interface SessionOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whose process it is; by default that of this one. */
  readonly user?: User | undefined;
  /** Both outputs are appended to it. */
  readonly logFile: string;
  /** Of a log that is made here; by default the umask decides alone. */
  readonly logMode?: number;
  /** With a channel for messages, which also tells the program when this process is gone. */
  readonly channel?: boolean;
}

/** Starts a program in a new session, so that Ctrl-C in the terminal does not reach it: its owner ends it, in order. */
export function spawnInSession(file: string, args: readonly string[], options: SessionOptions): ChildProcess {
  const { cwd, env, user, logFile, logMode, channel = false } = options;
  const log = openSync(logFile, 'a', logMode);
  try {
    const stdio = ['ignore' as const, log, log, ...(channel ? (['ipc'] as const) : [])];
    return spawn(file, args, { cwd, env, ...user, stdio, detached: true });
  } finally {
    closeSync(log);
  }
}
