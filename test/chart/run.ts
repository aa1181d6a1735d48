import { execFile } from 'node:child_process';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

const MOST_BYTES = 64 * 1_048_576;

/** Runs a program to its end, whatever its exit code. Throws if it cannot be run. */
export function attempt(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: MOST_BYTES, ...rest }, (error, out, err) => {
      if (error && typeof error.code !== 'number')
        reject(new Error(`${program} cannot be run: ${error.message}`));
      else resolve({ code: Number(error?.code ?? 0), out, err });
    });
    child.stdin?.end(input);
  });
}

/** Throws with what it said if it fails. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, out, err } = await attempt(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: exit code ${code}\n${out}${err}`);
  return out;
}
