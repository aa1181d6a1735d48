import { claimDataDir, clearRunning, writeRunning } from './data-dir.ts';
import { StackError } from './errors.ts';
import { type ProgressListener, withProgress } from './progress.ts';
import {
  BROKER_NAMES,
  type Component,
  type ComponentName,
  type Stack,
  type StackAddresses,
} from './stack.ts';

/**
 * Takes the data directory for a stack. The returned function gives it back when `end` is through, however that went.
 * @throws StackError STACK_IN_USE
 */
export function takeDataDir(dataDir: string): (end: () => Promise<void>) => Promise<void> {
  const lock = claimDataDir(dataDir);
  return async (end) => {
    try {
      await end();
    } finally {
      clearRunning(dataDir);
      lock.release();
    }
  };
}

/** The started components of the data directory as a stack. However often users call its `stop`, `stop` is called once. */
export function startedStack(
  dataDir: string,
  addresses: StackAddresses,
  components: readonly Component[],
  stop: () => Promise<void>,
): Stack {
  const logs = inOrder(components).map(({ name, logFile }) => ({ name, logFile }));
  writeRunning(dataDir, { pid: process.pid, ...addresses, components: logs });
  return { ...addresses, ...controlOf(components, stop) };
}

/** They were made in any order. */
function inOrder(components: readonly Component[]): readonly Component[] {
  const order: readonly ComponentName[] = [...BROKER_NAMES, 'registry', 'clickhouse'];
  return components.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

/** `stop` is called once, however often its users do. */
export function controlOf(
  components: readonly Component[],
  stop: () => Promise<void>,
): Pick<Stack, 'components' | 'component' | 'stop'> {
  let stopped: Promise<void> | undefined;
  return {
    components: inOrder(components),
    component: (name) => componentNamed(components, name),
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

/**
 * Waits for all pieces of work, so that nothing goes on behind the back of the clean-up, and throws what failed first.
 * The first failure aborts the others.
 * @param callersSignal if it was aborted, that is what is thrown: STACK_ABORTED
 */
export async function allOrFirstFailure<T>(
  work: readonly Promise<T>[],
  abort: AbortController,
  callersSignal: AbortSignal | undefined,
): Promise<T[]> {
  let first: { readonly error: unknown } | undefined;
  for (const piece of work) {
    piece.catch((error) => {
      first ??= { error };
      abort.abort();
    });
  }
  const settled = await Promise.allSettled(work);
  if (!first) return settled.flatMap((piece) => (piece.status === 'fulfilled' ? [piece.value] : []));
  if (!callersSignal?.aborted) throw first.error;
  throw new StackError('STACK_ABORTED', 'the start was called off', { cause: first.error });
}

/** Clients of Kafka first, were there any; these three do not know each other, so together. */
export async function stopAll(components: readonly Component[], listener: ProgressListener): Promise<void> {
  const running = components.filter((component) => component.state !== 'stopped');
  await Promise.all(
    running.map((component) =>
      withProgress(listener, { component: component.name, step: 'stop' }, () => component.stop()),
    ),
  );
}

/** @throws StackError STACK_COMPONENT_STATE */
export function componentNamed(components: readonly Component[], name: ComponentName): Component {
  const found = components.find((component) => component.name === name);
  if (!found) throw new StackError('STACK_COMPONENT_STATE', `there is no component ${name}`);
  return found;
}
