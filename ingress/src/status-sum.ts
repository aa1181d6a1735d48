import type { IngressStatus, RequestCounts, SourceReport, SpoolReport } from './status.ts';

/** Of several processes that started together, as of one. At least one. */
export function sumOfStatuses(statuses: readonly IngressStatus[]): IngressStatus {
  const [first] = statuses;
  if (!first) throw new Error('there is no status to sum up');
  return {
    startedAt: statuses.map(({ startedAt }) => startedAt).reduce((a, b) => (a < b ? a : b)),
    recentSeconds: first.recentSeconds,
    sources: sumOfSources(statuses.flatMap(({ sources }) => sources)),
    spool: statuses.map(({ spool }) => spool).reduce(sumOfSpools, null),
  };
}

/** One report for each name. */
export function sumOfSources(reports: readonly SourceReport[]): SourceReport[] {
  const byName = new Map<string, SourceReport>();
  for (const source of reports) {
    const before = byName.get(source.name);
    byName.set(source.name, before ? sumOfTwo(before, source) : source);
  }
  return [...byName.values()];
}

function sumOfTwo(a: SourceReport, b: SourceReport): SourceReport {
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

/** Processes that share a directory each count all that is set aside there, so the largest count is taken. Null: no spool. */
export function sumOfSpools(a: SpoolReport | null, b: SpoolReport | null): SpoolReport | null {
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
