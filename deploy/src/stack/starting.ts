import { StackError } from './errors.ts';
import { type ProgressListener, withProgress } from './progress.ts';
import type { Component, ComponentName } from './stack.ts';

/**
 * Waits for all starts, so that nothing is started behind the back of the clean-up, and throws what failed first. The
 * first failure aborts the others.
 * @param callersSignal if it was aborted, that is what is thrown: STACK_ABORTED
 */
export async function allOrFirstFailure(
  starts: readonly Promise<void>[],
  abort: AbortController,
  callersSignal: AbortSignal | undefined,
): Promise<void> {
  let first: { readonly error: unknown } | undefined;
  const watched = starts.map((start) =>
    start.catch((error) => {
      first ??= { error };
      abort.abort();
    }),
  );
  await Promise.all(watched);
  if (!first) return;
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
