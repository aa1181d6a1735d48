import type { ReadinessCheck } from '../../admin-server.ts';
import type { TransactionalLoop } from './loop.ts';

type Told = Pick<TransactionalLoop, 'problems' | 'isOpening'>;

const isOfRegistry = (code: string) => code.startsWith('REGISTRY_') || code.startsWith('SCHEMA_');
const isOfState = (code: string) => code.startsWith('STATE_');

/** What a processor depends on, each with the code of what is wrong with it. A code begins with what it is about. */
export function readinessOf(loop: Told): {
  readonly kafka: ReadinessCheck;
  readonly registry: ReadinessCheck;
} {
  return {
    kafka: () => loop.problems().find((code) => !isOfRegistry(code) && !isOfState(code)),
    registry: () => loop.problems().find(isOfRegistry),
  };
}

/** The same of one that keeps state. */
export function statefulReadinessOf(
  loop: Told,
): ReturnType<typeof readinessOf> & { readonly state: ReadinessCheck } {
  const state = () => loop.problems().find(isOfState) ?? (loop.isOpening() ? 'STATE_RESTORING' : undefined);
  return { ...readinessOf(loop), state };
}
