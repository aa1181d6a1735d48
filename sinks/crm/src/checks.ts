import type { CrmAdapter } from './crm.ts';
import { CrmError } from './errors.ts';
import { urgently } from './turns.ts';

export interface ChecksOptions {
  readonly adapter: Pick<CrmAdapter, 'check'>;
  readonly now: () => number;
  /** Whether urgent calls wait for their turn in the pace now. */
  readonly isWaiting: () => boolean;
  /** When the CRM last took a write. Epoch milliseconds. */
  readonly wroteAt: () => number;
  /** Told what came of each check. */
  readonly onEnd: (error?: unknown) => void;
}

/** A check that has no end by then is given up, unless it still waits for its turn. Milliseconds. */
const GIVEN_UP_MS = 10_000;
/** A write tells as much as a check for so long. Milliseconds. */
const WRITE_TELLS_MS = 10_000;
/** Between checks while writes are taken. Milliseconds. */
const EVERY_MS = 60_000;
/** To wait for a check to have its turn, while an earlier one tells. Milliseconds. */
const PATIENCE_MS = 2_000;
/** An earlier check tells for so long, while the next one waits for its turn. Milliseconds. */
const CHECK_TELLS_MS = 600_000;

/**
 * Checks of a CRM. They count for its pace as all calls do, so a backlog of our own must not be taken for a CRM that is down: a check goes
 * before the writes that wait, is made once for all that ask, and seldom while writes are taken. Where the limit is so low that even so
 * it has to wait for its turn, the one before it tells.
 */
export class CrmChecks {
  private readonly options: ChecksOptions;
  private readonly closed = new AbortController();
  private underWay: Promise<void> | undefined;
  private passedAt = Number.NEGATIVE_INFINITY;
  private endedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ChecksOptions) {
    this.options = options;
  }

  /** Throws CrmError, or `signal`'s reason when the caller gave up. */
  async check(signal: AbortSignal): Promise<void> {
    const { now, wroteAt, isWaiting } = this.options;
    signal.throwIfAborted();
    if (now() - wroteAt() < WRITE_TELLS_MS) {
      // That a list is gone which the configuration names, no write tells.
      if (now() - this.endedAt > EVERY_MS) void this.now();
      return;
    }
    const check = this.now();
    const late = Promise.withResolvers<'late'>();
    const aborted = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.resolve('late'), PATIENCE_MS);
    const giveUp = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      if ((await Promise.race([check, late.promise, aborted.promise])) !== 'late') return;
      if (isWaiting() && now() - this.passedAt < CHECK_TELLS_MS) return;
      await Promise.race([check, aborted.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** The check that is under way, or a new one: whatever was taken before. */
  now(): Promise<void> {
    this.underWay ??= this.make().finally(() => {
      this.underWay = undefined;
    });
    // Whoever asked may have given up.
    this.underWay.catch(() => {});
    return this.underWay;
  }

  close(): void {
    this.closed.abort(new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'the sink stops'));
  }

  private async make(): Promise<void> {
    const { adapter, isWaiting, now, onEnd } = this.options;
    const late = new CrmError('unavailable', 'SINK_CRM_TIMEOUT', 'a check had no answer in time');
    const givenUp = new AbortController();
    const timer = setInterval(() => {
      if (!isWaiting()) givenUp.abort(late);
    }, GIVEN_UP_MS);
    try {
      await urgently(() => adapter.check(AbortSignal.any([givenUp.signal, this.closed.signal])));
      this.passedAt = now();
      onEnd();
    } catch (failure) {
      const error = ofNoRecord(failure);
      this.passedAt = Number.NEGATIVE_INFINITY;
      onEnd(error);
      throw error;
    } finally {
      clearInterval(timer);
      this.endedAt = now();
    }
  }
}

/** A check sends no state, so a refusal of it (400, 404, 410, 422) can only be of what is configured: no record may be set aside for it. */
function ofNoRecord(error: unknown): unknown {
  if (!(error instanceof CrmError) || error.failure !== 'rejected') return error;
  const { code, message, afterMs } = error;
  return new CrmError('misconfigured', code, message, { cause: error, afterMs });
}
