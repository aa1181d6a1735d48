import type { Instance, Readiness } from './instance.ts';
import type { Intake } from './intake.ts';

/** What `status` shows, of a pipeline on this machine or of services somewhere. */
export interface Report extends Intake {
  /** Everything runs and takes work; some of it may be degraded. */
  readonly ready: boolean;
  readonly services: readonly ServiceReport[];
  /** Since the data began; null: not all of it can be read now. */
  readonly counts: { readonly [name: string]: number } | null;
}

export interface ServiceReport {
  readonly name: string;
  /** Null: it has no admin port, or none yet. */
  readonly readiness: Readiness | null;
  readonly problems: Instance['problems'];
  readonly partitions: Instance['partitions'];
  /** Null: it reads no topic, or nobody can say. */
  readonly lag: { readonly records: number; readonly exact: boolean } | null;
  readonly adminUrl: string | null;
}

export const takesWork = ({ readiness }: Pick<ServiceReport, 'readiness'>): boolean =>
  readiness === null || readiness === 'ok' || readiness === 'degraded';

/** For exit codes: nobody has to look at it. */
export const isWell = ({ ready, onlyRefused }: Report): boolean => ready && onlyRefused.length === 0;
