import { services } from '@email-events/cli/services';
import type { ServiceName } from '@email-events/dev/run/services';
import type { Inflicted } from './inflict.ts';
import type { Span } from './stand-still.ts';
import { isOfKafka, type Target } from './targets.ts';

const CONSUMERS: readonly ServiceName[] = services
  .filter(({ consumes }) => consumes !== undefined)
  .map(({ name }) => name);

/** Services whose work shows that all is well again after a fault of this target. */
export function behind(target: Target): readonly ServiceName[] {
  if (isOfKafka(target)) return CONSUMERS;
  if (target === 'clickhouse') return ['sink-clickhouse'];
  if (target === 'receiver') return ['sink-crm'];
  return CONSUMERS.filter((service) => service === target);
}

/** Services that may wait for it: a service that is started again does not get far without the registry. */
const concerned = (target: Target) => (target === 'registry' ? CONSUMERS : behind(target));

/** An outage of two brokers leaves clients that wait in long steps, and much to do. */
const AFTER_OUTAGE_MS = 60_000;

/**
 * When each fault excuses whom for committing nothing: as long as it lasts; for a member of a group also until the others
 * must have missed it; after an outage also for a while.
 */
export function spanOf(
  { fault, harmedAt, wellAt }: Inflicted,
  groupOf: ReadonlyMap<string, string>,
  sessionTimeoutMs: number,
): Span {
  const { kind, target } = fault;
  const isMember = (CONSUMERS as readonly Target[]).includes(target);
  const after = kind === 'outage' ? AFTER_OUTAGE_MS : isMember ? sessionTimeoutMs : 0;
  return {
    groups: concerned(target).flatMap((service) => groupOf.get(service) ?? []),
    from: harmedAt,
    until: wellAt + after,
  };
}
