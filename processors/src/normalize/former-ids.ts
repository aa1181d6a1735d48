import { decodeRawHeaders, type FirstRecord, type Logger, type RawRequest } from '@email-events/core';
import { IDENTITY_VERSION } from '@email-events/esps';

export interface FormerIdsOptions {
  /** Reads the first record of each partition of email.raw. */
  readonly firstRecords: () => Promise<readonly FirstRecord[]>;
  /** For how long an event's id is remembered. Milliseconds. */
  readonly windowMs: number;
  readonly clock: () => number;
  readonly log: Pick<Logger, 'info' | 'debug'>;
}

/** A request may be read, and its events remembered, this long after it was received. */
const DELAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/**
 * Until when copies of an event may have been received under earlier rules for ids, so that their ids have to be known too. It is said by
 * email.raw itself: where it begins with records of today's version, those of an earlier one are older than that, or were never there. An
 * id is forgotten after the dedupe window. So that ends by itself, once email.raw has forgotten what was received before an upgrade.
 */
export class FormerIds {
  private readonly options: FormerIdsOptions;
  // Epoch milliseconds: what was received later has no former ids. By what email.raw begins with, and by what has come since.
  private until = Number.POSITIVE_INFINITY;
  private untilAtLeast = Number.NEGATIVE_INFINITY;

  constructor(options: FormerIdsOptions) {
    this.options = options;
  }

  /** Whether a copy of what is in this request may have been received under earlier rules. */
  mayHave({ identityVersion, receivedAt }: RawRequest): boolean {
    if (identityVersion < IDENTITY_VERSION) {
      // An ingress of the earlier version is still there, or a record was put back.
      this.untilAtLeast = Math.max(this.untilAtLeast, this.endAfter(receivedAt));
      return true;
    }
    return receivedAt <= this.until || receivedAt <= this.untilAtLeast;
  }

  /** Looks at email.raw now and every hour, until it is stopped. What cannot be read is asked again; until then all ids are known. */
  start(): { stop(): void } {
    void this.look();
    const timer = setInterval(() => void this.look(), HOUR_MS);
    timer.unref();
    return { stop: () => clearInterval(timer) };
  }

  async look(): Promise<void> {
    const { firstRecords, clock, log } = this.options;
    try {
      const ends = (await firstRecords()).map((first) => this.endOf(first));
      const until = Math.max(Number.NEGATIVE_INFINITY, ...ends);
      if (until < clock() && this.until >= clock())
        log.info('no event that comes now has ids by earlier rules');
      this.until = until;
    } catch (error) {
      log.debug({ err: error }, 'the beginning of email.raw cannot be read');
    }
  }

  private endOf({ hasExpired, record }: FirstRecord): number {
    if (record === null) return hasExpired ? this.endAfter(this.options.clock()) : Number.NEGATIVE_INFINITY;
    const request = decodeRawHeaders(record.headers);
    if (!request || request.identityVersion < IDENTITY_VERSION) return Number.POSITIVE_INFINITY;
    // The very first record of a partition has no predecessor.
    return record.offset === 0n ? Number.NEGATIVE_INFINITY : this.endAfter(request.receivedAt);
  }

  private endAfter(receivedAt: number): number {
    return receivedAt + this.options.windowMs + DELAY_MS;
  }
}
