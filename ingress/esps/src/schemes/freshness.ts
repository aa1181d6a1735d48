import type { RefusalCode, Verdict, VerifierSettings } from '../adapter.ts';
import { secondsOption } from './settings.ts';

/** How far a signed timestamp may lie from the time of receipt, in seconds, bounds included. */
export interface Window {
  readonly past: number;
  readonly future: number;
}

/** Clocks differ by a little. Nothing honest comes from further in the future. */
export const CLOCK_SKEW_SECONDS = 300;

export const TOLERANCE_OPTION = {
  name: 'toleranceSeconds',
  required: false,
  description: 'oldest signed timestamp that is accepted, in seconds before receipt',
} as const;

/** The ESP's window, or what the operator put in its place. */
export function windowOf(settings: VerifierSettings, past: number): Window {
  return { past: secondsOption(settings, TOLERANCE_OPTION.name) ?? past, future: CLOCK_SKEW_SECONDS };
}

/** Judges a timestamp in whole unix seconds. Null: fresh. */
export function staleness(timestamp: string, receivedAt: number, window: Window): RefusalCode | null {
  const signedAt = secondsToMs(timestamp);
  return signedAt === null ? 'TIMESTAMP_MALFORMED' : stalenessAt(signedAt, receivedAt, window);
}

/** The same for a time in epoch milliseconds; fractions of a second do not count. */
export function stalenessAt(signedAt: number, receivedAt: number, window: Window): RefusalCode | null {
  const age = Math.floor(receivedAt / 1000) - Math.floor(signedAt / 1000);
  if (age > window.past) return 'TIMESTAMP_STALE';
  if (age < -window.future) return 'TIMESTAMP_IN_FUTURE';
  return null;
}

/** A refusal that says which time the sender claims, for whoever looks for a clock that is wrong. */
export function refusedAt(code: RefusalCode, timestamp: string): Verdict {
  const signedAt = secondsToMs(timestamp);
  return { outcome: 'refused', code, ...(signedAt === null ? {} : { signedAt }) };
}

function secondsToMs(timestamp: string): number | null {
  return /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * 1000 : null;
}
