import type { DependencyState, ReadinessCheck } from '../../admin-server.ts';
import type { TransactionalLoop } from './loop.ts';

type Told = Pick<TransactionalLoop, 'problems' | 'partitions' | 'isOpening'>;
type IsOf = (code: string) => boolean;

const isOfRegistry = (code: string) => code.startsWith('REGISTRY_') || code.startsWith('SCHEMA_');
const isOfState = (code: string) => code.startsWith('STATE_');
const isOfRecords = (code: string) => code === 'PROCESSOR_HALTED';
const isOfKafka = (code: string) => !isOfRegistry(code) && !isOfState(code) && !isOfRecords(code);

/** What is away for one partition is away for all, whichever of them has noticed. */
const isOfAll = (code: string) =>
  code === 'KAFKA_UNREACHABLE' || code === 'STATE_DISK_FULL' || isOfRegistry(code) || isOfRecords(code);

/**
 * What a processor depends on, each with the code of what is wrong with it. A code begins with what it is about. It is not ready for
 * what concerns all that it does; for what concerns some of its partitions it is degraded, and says which these are.
 */
export function readinessOf(loop: Told): {
  readonly kafka: ReadinessCheck;
  readonly registry: ReadinessCheck;
  readonly records: ReadinessCheck;
} {
  return {
    kafka: () => stateOf(loop, isOfKafka),
    registry: () => stateOf(loop, isOfRegistry),
    records: () => stateOf(loop, isOfRecords),
  };
}

/** The same of one that keeps state. */
export function statefulReadinessOf(
  loop: Told,
): ReturnType<typeof readinessOf> & { readonly state: ReadinessCheck } {
  const state = () => stateOf(loop, isOfState) ?? (loop.isOpening() ? 'STATE_RESTORING' : undefined);
  return { ...readinessOf(loop), state };
}

function stateOf(loop: Told, isOf: IsOf): DependencyState {
  const { assigned, troubled } = loop.partitions();
  const own = [...troubled].filter(([, code]) => isOf(code));
  const [first] = own;
  const whole = loop.problems().find(isOf) ?? own.map(([, code]) => code).find(isOfAll);
  if (!first) return whole;
  const [partitions, code] = [Object.fromEntries(own), whole ?? first[1]];
  return whole !== undefined || troubled.size >= assigned
    ? { failed: code, partitions }
    : { degraded: code, partitions };
}
