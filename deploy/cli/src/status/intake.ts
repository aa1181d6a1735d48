import type { IngressStatus, RequestCounts, SourceReport, SpoolReport } from '@email-events/ingress';
import { sumOfSources, sumOfSpools } from '@email-events/ingress/status-sum';

/** Requests that came in, summed over all instances of the ingress. */
export interface Intake {
  readonly sources: readonly SourceReport[];
  /** The time that `recent` covers, at most; null: no ingress tells. */
  readonly recentSeconds: number | null;
  /** Null: no ingress has one, or none tells. */
  readonly spool: SpoolReport | null;
  /** How many instances there are, and how many of them told. The sums are too small while some do not. */
  readonly ingresses: { readonly asked: number; readonly told: number };
  /** Sources that had requests in the last minutes, of which none was accepted. */
  readonly onlyRefused: readonly string[];
}

/** One for each instance of the ingress; null: it does not tell. */
export function intakeOf(instances: readonly (IngressStatus | null)[]): Intake {
  const told = instances.filter((status) => status !== null);
  const sources = sumOfSources(told.flatMap((status) => status.sources));
  return {
    sources,
    recentSeconds: told.length > 0 ? Math.max(...told.map(({ recentSeconds }) => recentSeconds)) : null,
    spool: told.map(({ spool }) => spool).reduce(sumOfSpools, null),
    ingresses: { asked: instances.length, told: told.length },
    onlyRefused: sources
      .filter(({ recent }) => recent.accepted === 0 && refusedOf(recent) > 0)
      .map(({ name }) => name),
  };
}

export const refusedOf = ({ refused }: RequestCounts): number =>
  Object.values(refused).reduce((sum, times) => sum + times, 0);

/** The most frequent code of the last minutes, else of all since the start; undefined: nothing was refused. */
export function topReason({ recent, sinceStart }: SourceReport): string | undefined {
  const { refused } = refusedOf(recent) > 0 ? recent : sinceStart;
  const [first] = Object.entries(refused).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return first?.[0];
}
