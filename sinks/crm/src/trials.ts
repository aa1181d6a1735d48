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
  /** Writes that the CRM had taken when it failed, or when the last failure was proven. */
  writes: number;
}

/**
 * After a suspect fails, the sink sends a record that the CRM has taken so many times again. The failure counts only if the CRM takes
 * them all. Where a share p of all calls fails regardless of the record, the CRM takes a good suspect with probability 1 - p, and a trial
 * counts a failure with p (1 - p)^3. So at most one in eight of the verdicts that a trial comes to is wrong, for any share p. A record
 * is set aside after six of them in a row without a success between: one good suspect in 200,000.
 */
export const CONTROLS = 3;

/**
 * Records that failed, and whether they are at fault. A CRM that is down, or fails on every second call, must never make a record a dead
 * letter; a record that the CRM fails on must not hold its partition for ever. A trial tells the two apart: the sink sends another record,
 * which the CRM has taken, again before and after. Each failure in between counts; any success ends the suspicion.
 *
 * That the CRM answers a read does not tell that it writes, and many adapters read first and find that nothing is to be done. So a failure
 * counts only if the CRM took more than `CONTROLS` writes since the one before it, none of which failed in between.
 */
export class Suspects<R> {
  private readonly limits: TrialLimits;
  private readonly now: () => number;
  private readonly suspicions = new WeakMap<SinkRecord<R>, Suspicion>();
  private writes = 0;
  /** `writes` when a call last failed outside a trial. */
  private failedAt = 0;

  constructor(limits: TrialLimits, now: () => number) {
    this.limits = limits;
    this.now = now;
  }

  has(record: SinkRecord<R>): boolean {
    return this.suspicions.has(record);
  }

  /** Notes that the call for this record failed in a way that the record may have caused. */
  note(record: SinkRecord<R>, error: CrmError): void {
    if (!mayBeTheRecord(error)) return;
    this.failedAt = this.writes;
    if (!this.suspicions.has(record))
      this.suspicions.set(record, { firstAt: this.now(), proven: 0, writes: this.writes });
  }

  /** Notes that a record failed that the CRM has taken before: none of the failures around it tells anything of a suspect. */
  controlFailed(): void {
    this.failedAt = this.writes;
  }

  /** Notes that the CRM took a write. */
  wrote(): void {
    this.writes += 1;
  }

  /** Notes that the record failed in a trial. Returns true if the record is at fault for certain. */
  convict(record: SinkRecord<R>): boolean {
    const suspicion = this.suspicions.get(record);
    if (!suspicion || this.writes - Math.max(suspicion.writes, this.failedAt) <= CONTROLS) return false;
    suspicion.proven += 1;
    suspicion.writes = this.writes;
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
