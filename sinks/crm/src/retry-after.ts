/** Longer pauses than this are cut: asking an hour later costs one call. */
const LONGEST_MS = 3_600_000;

/** Milliseconds that a Retry-After header asks for: seconds or an HTTP date. Undefined if it says neither. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim();
  if (!text) return undefined;
  const wait = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : dateOf(text) - now;
  return Number.isNaN(wait) ? undefined : Math.min(LONGEST_MS, Math.max(0, Math.ceil(wait)));
}

/** Date.parse takes far more than HTTP dates ("-5" is a year to it), which all begin with a weekday. */
const dateOf = (text: string) => (/^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN);
