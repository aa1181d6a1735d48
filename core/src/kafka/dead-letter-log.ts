import type { DeadLetter } from '@email-events/schemas';
import type { Logger } from '../telemetry.ts';
import { deadLetterKey } from './records.ts';

/** Lines of one code and source in an interval; what comes beyond is counted. */
const LINES = 5;
const INTERVAL_MS = 60_000;
/** Pairs of code and source. Beyond them, those of one code share its lines: a source's name comes out of a record. */
const MOST_KEYS = 1_000;

interface Seen {
  readonly code: string;
  readonly source: string | undefined;
  from: number;
  lines: number;
  unlogged: number;
}

/**
 * Tells the operator of each dead letter, so that the log says what failed, and where. A sender who makes thousands of them writes no
 * more than some lines a minute for each code and source: what is left out is counted, and the count is logged once a minute.
 */
export class DeadLetterLog {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();

  /** `now`: milliseconds on a clock that never goes back. */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
    setInterval(() => this.flush(), INTERVAL_MS).unref();
  }

  /** Called when the letter is in its topic for good. The line has its key, by which `dlq show` finds it, and nothing of its payload. */
  written(letter: DeadLetter): void {
    const seen = this.#seenOf(letter.code, letter.source ?? undefined);
    const now = this.#now();
    if (now - seen.from >= INTERVAL_MS) {
      seen.from = now;
      seen.lines = 0;
    }
    if (seen.lines < LINES) {
      seen.lines++;
      const { stage, code, esp, source, request_id: requestId } = letter;
      const known = Object.entries({ stage, code, esp, source, requestId }).filter(
        ([, value]) => value !== null,
      );
      this.#log.warn(
        { ...Object.fromEntries(known), letter: deadLetterKey(letter) },
        'a dead letter was written',
      );
    } else seen.unlogged++;
  }

  /** Logs how many were left out, and forgets those that have been quiet. */
  flush(): void {
    const now = this.#now();
    for (const [key, seen] of this.#seen) {
      const { code, source, unlogged } = seen;
      if (unlogged > 0) this.#log.warn({ code, source, count: unlogged }, 'more dead letters were written');
      seen.unlogged = 0;
      if (now - seen.from >= INTERVAL_MS) this.#seen.delete(key);
    }
  }

  #seenOf(code: string, source: string | undefined): Seen {
    const known = this.#seen.get(`${code} ${source}`);
    if (known) return known;
    const shares = this.#seen.size >= MOST_KEYS;
    const key = shares ? code : `${code} ${source}`;
    const shared = this.#seen.get(key);
    if (shared) return shared;
    const seen = { code, source: shares ? undefined : source, from: this.#now(), lines: 0, unlogged: 0 };
    this.#seen.set(key, seen);
    return seen;
  }
}
