import type { Logger } from '@email-events/core';
import { LRUCache } from 'lru-cache';
import type { LogCode } from './codes.ts';

/** Who was refused, and how much came from there. */
export interface Refusal {
  readonly level: 'warn' | 'error';
  readonly code: LogCode;
  /** A configured one; what is counted by it is bounded by that. */
  readonly source: string | undefined;
  /** Of the sender (see networkOf). */
  readonly network: string;
  /** That it sent, at least. */
  readonly bytes: number;
  /** The line has them beside the code. */
  readonly fields: { readonly [name: string]: unknown };
}

interface Unlogged {
  readonly code: LogCode;
  readonly source: string | undefined;
  count: number;
  bytes: number;
  lastRequestId: unknown;
}

/** Lines of one code, source and network in an interval; what comes beyond is counted. */
const LINES = 3;
const INTERVAL_MS = 60_000;
const MAX_KEYS = 10_000;
/** Bytes of a log line besides its fields: time, level, service, host. */
const LINE_BYTES = 200;
/** Bytes of log that the first refusals may take, and those that may be saved up. */
const FIRST_BYTES = 16_384;
const MOST_BYTES = 65_536;
/** The log may take this share of the bytes that refused requests bring. */
const SHARE = 0.5;
/** So that a single small request is seen even long after a flood. */
const BYTES_A_SECOND = 40;

/**
 * The log lines of what is refused. A sender whose requests are refused cannot make it write more than he sent: it has a line for each
 * of the first refusals of a kind and a count of the others once a minute, and writes only as much as the bytes of refused requests pay for.
 */
export class RefusalLog {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #lines = new LRUCache<string, { from: number; lines: number }>({ max: MAX_KEYS });
  /** By source and code, so that their number does not depend on the senders'. */
  readonly #unlogged = new Map<string, Unlogged>();
  readonly #timer: NodeJS.Timeout;
  #bytes = FIRST_BYTES;
  #at: number;

  /** `now`: milliseconds on a clock that never goes back. */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
    this.#at = now();
    this.#timer = setInterval(() => this.flush(), INTERVAL_MS).unref();
  }

  refused(refusal: Refusal): void {
    const { level, code, source, network, bytes, fields } = refusal;
    this.#earn(bytes);
    if (this.#isAmongFirst(`${source ?? ''} ${network} ${code}`) && this.#spend(fields)) {
      this.#log[level]({ code, source, ...fields }, 'not accepted');
      return;
    }
    const key = `${source ?? ''} ${code}`;
    const unlogged = this.#unlogged.get(key) ?? {
      code,
      source,
      count: 0,
      bytes: 0,
      lastRequestId: undefined,
    };
    unlogged.count++;
    unlogged.bytes += bytes;
    unlogged.lastRequestId = fields.requestId;
    this.#unlogged.set(key, unlogged);
  }

  /** An ordinary line about something that everybody can cause; left out when there were too many of them. */
  noted(bytes: number, fields: { readonly [name: string]: unknown }, text: string): void {
    this.#earn(bytes);
    if (this.#spend(fields)) this.#log.info(fields, text);
  }

  /** Tells what was counted; what there are no bytes for is counted on. */
  flush(): void {
    this.#earn(0);
    for (const [key, { code, source, count, bytes, lastRequestId }] of this.#unlogged) {
      const fields = { code, source, count, bytes, lastRequestId };
      if (!this.#spend(fields)) return;
      this.#unlogged.delete(key);
      this.#log.warn(fields, 'more were not accepted');
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
  }

  #isAmongFirst(key: string): boolean {
    const now = this.#now();
    const known = this.#lines.get(key);
    if (!known || now - known.from >= INTERVAL_MS) {
      this.#lines.set(key, { from: now, lines: 1 });
      return true;
    }
    known.lines++;
    return known.lines <= LINES;
  }

  #earn(bytes: number): void {
    const now = this.#now();
    const trickle = ((now - this.#at) / 1_000) * BYTES_A_SECOND;
    this.#at = now;
    this.#bytes = Math.min(MOST_BYTES, this.#bytes + bytes * SHARE + trickle);
  }

  #spend(fields: object): boolean {
    const cost = LINE_BYTES + JSON.stringify(fields).length;
    if (cost > this.#bytes) return false;
    this.#bytes -= cost;
    return true;
  }
}
