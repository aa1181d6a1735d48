import { constants } from 'node:os';

/** What is added to a signal's number to make the exit code of what it ended. */
const SIGNAL_BASE = 128;

/** Exit code of what SIGKILL ended. */
export const KILLED = SIGNAL_BASE + constants.signals.SIGKILL;

/** The signal that ended a container with this exit code, if one did. */
export function signalOf(exitCode: number): NodeJS.Signals | undefined {
  const signals = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return signals.find(([, number]) => number === exitCode - SIGNAL_BASE)?.[0];
}

/** The engine refused what was asked with one of these HTTP statuses. */
export function refusedWith(error: unknown, ...statuses: readonly number[]): boolean {
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statuses.includes(statusCode);
}

export const STATUS = { notModified: 304, gone: 404, conflict: 409 } as const;

/** The engine says that a port is taken; it has no code for it. */
export const isPortTaken = (message: string) =>
  /already allocated|address already in use|ports are not available/i.test(message);

/** Waits for a removal. What is gone already is no error, nor what somebody else is removing. */
export async function unlessGone(removal: Promise<unknown> | undefined): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!refusedWith(error, STATUS.gone, STATUS.conflict)) throw error;
  }
}
