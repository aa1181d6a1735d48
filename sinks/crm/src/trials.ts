import type { SinkRecord } from '@email-events/core';
import { CrmError } from './errors.ts';

export interface TrialLimits {
  /** Failures between two calls that the CRM takes, until a record is set aside. */
  readonly tries: number;
  /** And the time from its first failure, at least. Milliseconds. */
  readonly forMs: number;
}

/** Failures of a record so far. */
interface Suspicion {
  readonly firstAt: number;
  /** Failures of it while the CRM took another record right before and right after. */
  proven: number;
}

/**
 * Calls for a record that the CRM has taken, after a failure, that must all be taken again for the failure to count. Where a share p of
 * all calls fails whatever is in them, a suspect that is called is taken with 1 - p and failed for certain with p (1 - p)^3. So one in
 * eight of the verdicts that a trial comes to is wrong at most, whatever the share, and with six of them needed in a row, and no
 * success between, one suspect in 200,000.
 */
export const CONTROLS = 3;

/**
 * Records that failed, and whether it is them. A CRM that is down, or fails of every second call, must never make a record a dead
 * letter; one that fails of a record must not hold its partition for ever. What tells the two apart is a trial: another record that the
 * CRM has taken is sent again before and after. Each failure in between counts; any success ends the suspicion.
 */
export class Suspects<R> {
  private readonly limits: TrialLimits;
  private readonly now: () => number;
  private readonly suspicions = new WeakMap<SinkRecord<R>, Suspicion>();

  constructor(limits: TrialLimits, now: () => number) {
    this.limits = limits;
    this.now = now;
  }

  has(record: SinkRecord<R>): boolean {
    return this.suspicions.has(record);
  }

  /** Its call was made and failed, in a way that may be its own doing. */
  note(record: SinkRecord<R>, error: CrmError): void {
    if (!mayBeTheRecord(error) || this.suspicions.has(record)) return;
    this.suspicions.set(record, { firstAt: this.now(), proven: 0 });
  }

  /** It failed in a trial. True: it is the record, for certain. */
  convict(record: SinkRecord<R>): boolean {
    const suspicion = this.suspicions.get(record);
    if (!suspicion) return false;
    suspicion.proven += 1;
    const { tries, forMs } = this.limits;
    return suspicion.proven >= tries && this.now() - suspicion.firstAt >= forMs;
  }
}

export const mayBeTheRecord = ({ failure }: CrmError): boolean =>
  failure === 'unavailable' || failure === 'unverified' || failure === 'misconfigured';

/** The error of a record that the CRM fails on while it takes others. */
export function convictionOf({ failure, message }: CrmError): CrmError {
  return failure === 'misconfigured'
    ? new CrmError('rejected', 'SINK_CRM_REJECTED', `${message} to this state, and takes others`)
    : new CrmError('rejected', 'SINK_CRM_RECORD_FAILED', `${message}, again and again, and takes others`);
}
