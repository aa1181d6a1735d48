import { AsyncLocalStorage } from 'node:async_hooks';
import type { Announcing, CallPace } from './capabilities.ts';

/** How the calls of some work get their turn. It goes along with the work, so that no adapter has to hand it on from call to call. */
interface Turns {
  /** Before those that wait. */
  readonly urgent: boolean;
  /** Behind all that wait. */
  readonly last?: boolean;
  readonly reserved?: Reserved;
}

/** Calls of a pace that work may make without waiting. */
export interface Reserved {
  readonly of: CallPace;
  /** Makes the next of them; undefined: all were made. Throws as `CallPace.run` does. */
  run<T extends Announcing>(
    call: () => Promise<T>,
    signal: AbortSignal,
    kind: string,
  ): Promise<T> | undefined;
}

const turns = new AsyncLocalStorage<Turns>();

/**
 * Calls that `work` makes go before those that wait for their turn. For checks: they are few, and behind a backlog of writes they would tell
 * of the backlog and not of the CRM.
 */
export const urgently = <T>(work: () => Promise<T>): Promise<T> => turns.run({ urgent: true }, work);

/** Calls that `work` makes go behind all others that wait. A check that it makes is as urgent as any. */
export const lastOfAll = <T>(work: () => Promise<T>): Promise<T> =>
  isUrgent() ? work() : turns.run({ urgent: false, last: true }, work);

export const isLast = (): boolean => turns.getStore()?.last ?? false;

export const isUrgent = (): boolean => turns.getStore()?.urgent ?? false;

/** What the work at hand has reserved of this pace. */
export function reservedOf(pace: CallPace): Reserved | undefined {
  const reserved = turns.getStore()?.reserved;
  return reserved?.of === pace ? reserved : undefined;
}

/** Calls that are more than was reserved are urgent: the work has begun. */
export const withReserved = <T>(reserved: Reserved, work: () => Promise<T>): Promise<T> =>
  turns.run({ urgent: true, reserved }, work);

/**
 * Does work of so many calls that have to be close together, as a read and the write that replaces what was read: it begins when all of
 * them have their turn, so that none of them waits in between. Without a pace nothing waits anyway.
 */
export function closeTogether<T>(
  pace: CallPace | undefined,
  calls: number,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return pace?.together ? pace.together(calls, work, signal) : work();
}
