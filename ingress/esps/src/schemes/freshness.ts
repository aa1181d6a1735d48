import type { RefusalCode, VerifierSettings } from '../adapter.ts';
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
  if (!/^\d{1,12}$/.test(timestamp)) return 'TIMESTAMP_MALFORMED';
  const age = Math.floor(receivedAt / 1000) - Number(timestamp);
  if (age > window.past) return 'TIMESTAMP_STALE';
  if (age < -window.future) return 'TIMESTAMP_IN_FUTURE';
  return null;
}
