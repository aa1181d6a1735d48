import { RECENT_SECONDS, type SourceReport } from './source-activity.ts';
import type { SpoolStatus } from './spool/protocol.ts';

/** What /status of the admin port says: of one process, for `email-events status`, which sums those of several. */
export interface IngressStatus {
  /** ISO 8601: since when this process counts. */
  readonly startedAt: string;
  /** The time that `recent` of a source covers, at most. */
  readonly recentSeconds: number;
  /** Those that are configured now. */
  readonly sources: readonly SourceReport[];
  /** Null: it is switched off. */
  readonly spool: SpoolReport | null;
}

/** Requests that wait on this machine's disk until Kafka takes them. */
export interface SpoolReport {
  readonly records: number;
  readonly bytes: number;
  /** When the oldest of them was accepted, ISO 8601; null: none waits. */
  readonly oldestAt: string | null;
  /** Spools of the directory, which processes may share, that somebody must look at. */
  readonly setAside: number;
}

export function statusOf(
  startedAt: number,
  sources: readonly SourceReport[],
  spool: SpoolReport | null,
): IngressStatus {
  return { startedAt: new Date(startedAt).toISOString(), recentSeconds: RECENT_SECONDS, sources, spool };
}

export function spoolReport({ records, bytes, oldestAt, setAside }: SpoolStatus): SpoolReport {
  return {
    records,
    bytes,
    oldestAt: oldestAt === undefined ? null : new Date(oldestAt).toISOString(),
    setAside,
  };
}
