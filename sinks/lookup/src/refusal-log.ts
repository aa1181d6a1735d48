import type { Logger } from '@email-events/core';
import type { LookupCode } from './codes.ts';

/** Lines in an interval; what comes beyond is counted. */
const LINES = 5;
const INTERVAL_MS = 60_000;

/** Log lines about refused calls: a few of each code a minute, and how many more there were. Whoever has no token cannot fill the log. */
export class RefusalLog {
  private readonly log: Logger;
  private readonly counts = new Map<LookupCode, number>();
  private readonly timer: NodeJS.Timeout;

  constructor(log: Logger, intervalMs: number = INTERVAL_MS) {
    this.log = log;
    this.timer = setInterval(() => this.flush(), intervalMs).unref();
  }

  refused(code: LookupCode, peer: string | undefined): void {
    const count = (this.counts.get(code) ?? 0) + 1;
    this.counts.set(code, count);
    if (count <= LINES) this.log.warn({ code, peer }, 'a call was refused');
  }

  flush(): void {
    for (const [code, count] of this.counts)
      if (count > LINES) this.log.warn({ code, count: count - LINES }, 'more calls were refused');
    this.counts.clear();
  }

  close(): void {
    clearInterval(this.timer);
    this.flush();
  }
}
