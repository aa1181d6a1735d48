import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StackError } from './errors.ts';
import { type Lock, tryLock } from './lock.ts';
import { choosePorts } from './ports.ts';
import { lockFile } from './running.ts';
import type { PortName, StackPorts } from './stack.ts';

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

/** What the last run used; an unreadable file only means other ports. */
function readPorts(path: string): StackPorts {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}
