import type { Announcing, RateHeaders } from './capabilities.ts';

/** Longer pauses than this are cut: asking an hour later costs one call. */
const LONGEST_MS = 3_600_000;

/** Milliseconds that a Retry-After header asks for: seconds or an HTTP date. Undefined if it says neither. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim();
  if (!text) return undefined;
  return bounded(isNumber(text) ? Number(text) * 1_000 : dateOf(text) - now);
}

const isNumber = (text: string) => /^\d+(\.\d+)?$/.test(text);

/** Date.parse takes far more than HTTP dates ("-5" is a year to it), which all begin with a weekday. */
const dateOf = (text: string) => (/^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN);

const bounded = (wait: number): number | undefined =>
  Number.isNaN(wait) ? undefined : Math.min(LONGEST_MS, Math.max(0, Math.ceil(wait)));

/** Larger numbers are no seconds to wait but the time at which the wait ends: more than thirty years, in seconds and in milliseconds. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

/** Milliseconds until the time that a vendor's header means: seconds, an epoch time in seconds or milliseconds, or an HTTP date. */
export function untilMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim();
  if (!text || !isNumber(text)) return retryAfterMs(text, now);
  const value = Number(text);
  if (value >= EPOCH_MS) return bounded(value - now);
  return bounded(value >= EPOCH_SECONDS ? value * 1_000 - now : value * 1_000);
}

const COMMON = ['ratelimit-', 'x-ratelimit-'];

/** Calls that are left until the reset, if the answer says so. Milliseconds. */
export function callsLeft(
  answer: Announcing,
  names: RateHeaders,
  now: number,
): { readonly calls: number; readonly resetMs: number } | undefined {
  const calls = namesOf(names.remaining, 'remaining')
    .map((name) => headerOf(answer, name)?.trim() ?? '')
    .find(isNumber);
  const resetMs = resetOf(answer, names, now);
  return calls === undefined || resetMs === undefined ? undefined : { calls: Number(calls), resetMs };
}

/** Milliseconds that a refused call is to wait; undefined: the answer does not say. */
export function askedMs(answer: Announcing, names: RateHeaders, now: number): number | undefined {
  const standard = retryAfterMs(headerOf(answer, 'retry-after'), now);
  if (standard !== undefined) return standard;
  const own = names.retryAfter && untilMs(headerOf(answer, names.retryAfter), now);
  if (typeof own === 'number') return own;
  return answer.status === 429 ? resetOf(answer, names, now) : undefined;
}

function resetOf(answer: Announcing, names: RateHeaders, now: number): number | undefined {
  const inMs = names.resetMs && headerOf(answer, names.resetMs)?.trim();
  if (inMs && isNumber(inMs)) return bounded(Number(inMs));
  for (const name of namesOf(names.reset, 'reset')) {
    const wait = untilMs(headerOf(answer, name), now);
    if (wait !== undefined) return wait;
  }
  return undefined;
}

const namesOf = (own: string | undefined, what: string) =>
  own === undefined ? COMMON.map((prefix) => prefix + what) : [own];

function headerOf({ headers }: Announcing, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
