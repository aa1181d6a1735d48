import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The entry that `npx email-events` runs. */
const BIN = fileURLToPath(new URL('../bin/email-events.mjs', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningBin {
  readonly finished: Promise<Finished>;
  /** Its standard output and standard error up to now. */
  readonly output: () => { out: string; err: string };
  interrupt(): void;
  /** As a crash: nothing of it runs any more. */
  kill(): void;
}

/** Starts the real command line, for tests. */
export function startBin(
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: { readonly [name: string]: string } } = {},
): RunningBin {
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  // A command that refuses its arguments does not read what it is sent.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
  return {
    finished,
    output: () => ({ out, err }),
    interrupt: () => child.kill('SIGINT'),
    kill: () => child.kill('SIGKILL'),
  };
}

export const runBin = (...args: Parameters<typeof startBin>): Promise<Finished> => startBin(...args).finished;
