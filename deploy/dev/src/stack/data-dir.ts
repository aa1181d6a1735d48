import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Lock, tryLock } from '@email-events/core/process-lock';
import { StackError } from './errors.ts';
import { choosePorts } from './ports.ts';
import type { ComponentName, PortName, StackAddresses, StackPorts } from './stack.ts';

export { type Lock, tryLock } from '@email-events/core/process-lock';

/**
 * Takes the data directory, made if need be, for one stack.
 * @throws StackError STACK_IN_USE
 */
export function claimDataDir(dataDir: string): Lock {
  const lock = tryLock(lockFile(dataDir));
  if (!lock) throw new StackError('STACK_IN_USE', `another process runs a stack on ${dataDir}`);
  return lock;
}

/**
 * Ports for the names: those wished for, else those of the last run on this data directory, else any free ones; kept
 * for the next run.
 * @throws StackError STACK_PORT_TAKEN
 */
export async function portsOf<N extends PortName>(
  dataDir: string,
  names: readonly N[],
  wished: StackPorts = {},
): Promise<Record<N, number>> {
  const file = join(dataDir, 'ports.json');
  const remembered = readPorts(file);
  const requests = names.map((name) => [name, { fixed: wished[name], preferred: remembered[name] }]);
  const ports = await choosePorts<N>(Object.fromEntries(requests));
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, JSON.stringify({ ...remembered, ...ports }));
  return ports;
}

/** The ports of the last run. If the file cannot be read, other ports are chosen. */
function readPorts(path: string): StackPorts {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

/** Runs the work while holding the lock; waits for it as long as it takes, or until the signal. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: { signal?: AbortSignal | undefined; pollMs?: number } = {},
): Promise<T> {
  let lock = tryLock(path);
  while (lock === null) {
    await delay(options.pollMs ?? 200, undefined, options.signal ? { signal: options.signal } : {});
    lock = tryLock(path);
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** The file of a running local stack in its data directory, for commands in other terminals. */
export interface RunningStack extends StackAddresses {
  /** Process that started it and that stops it on SIGTERM. */
  readonly pid: number;
  readonly components: readonly { readonly name: ComponentName; readonly logFile: string }[];
}

export const lockFile = (dataDir: string) => join(dataDir, 'stack.lock');
const stateFile = (dataDir: string) => join(dataDir, 'stack.json');

export function writeRunning(dataDir: string, running: RunningStack): void {
  writeFileSync(stateFile(dataDir), `${JSON.stringify(running, null, 2)}\n`);
}

export function clearRunning(dataDir: string): void {
  rmSync(stateFile(dataDir), { force: true });
}

/** The local stack that runs on this data directory now; null if none does, even if a killed one left its file. */
export function readRunningStack(dataDir: string): RunningStack | null {
  let text: string;
  try {
    text = readFileSync(stateFile(dataDir), 'utf8');
  } catch {
    return null;
  }
  const lock = tryLock(lockFile(dataDir));
  if (lock === null) return JSON.parse(text);
  lock.release();
  return null;
}
