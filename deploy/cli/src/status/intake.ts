import type { IngressStatus, RequestCounts, SourceReport, SpoolReport } from '@email-events/ingress';

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
  const byName = new Map<string, SourceReport>();
  for (const source of told.flatMap(({ sources }) => sources)) {
    const earlier = byName.get(source.name);
    byName.set(source.name, earlier ? sumOf(earlier, source) : source);
  }
  const sources = [...byName.values()];
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

function sumOf(a: SourceReport, b: SourceReport): SourceReport {
  return {
    ...a,
    lastAcceptedAt: later(a.lastAcceptedAt, b.lastAcceptedAt),
    sinceStart: countsOf(a.sinceStart, b.sinceStart),
    recent: countsOf(a.recent, b.recent),
  };
}

function countsOf(a: RequestCounts, b: RequestCounts): RequestCounts {
  const refused: { [code: string]: number } = { ...a.refused };
  for (const [code, times] of Object.entries(b.refused)) refused[code] = (refused[code] ?? 0) + times;
  return { accepted: a.accepted + b.accepted, refused };
}

/** Instances that share a directory each count all that is set aside there, so the largest count is taken. */
function sumOfSpools(a: SpoolReport | null, b: SpoolReport | null): SpoolReport | null {
  if (a === null || b === null) return a ?? b;
  return {
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
    oldestAt: earlier(a.oldestAt, b.oldestAt),
    setAside: Math.max(a.setAside, b.setAside),
  };
}

/** Of ISO 8601 times in UTC, which sort as text. */
const later = (a: string | null, b: string | null) => (a !== null && (b === null || a > b) ? a : b);
const earlier = (a: string | null, b: string | null) => (a !== null && (b === null || a < b) ? a : b);
