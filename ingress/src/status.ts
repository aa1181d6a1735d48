import type { Source } from './sources.ts';
import type { SpoolStatus } from './spool/spool-store.ts';

/** The answer of /status on the admin port. It describes one process; `email-events status` sums those of several. */
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
  /** Spools of the directory, which processes may share, that an operator must look at. */
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

/** Requests of one source in some time. */
export interface RequestCounts {
  /** Answered with 200 because they are durable; no handshakes, no probes. */
  readonly accepted: number;
  /** All others that were no handshake or probe, by the code under which they are logged. */
  readonly refused: { readonly [code: string]: number };
}

/** The requests of a configured source that one ingress has seen. */
export interface SourceReport {
  readonly name: string;
  readonly esp: string;
  /** ISO 8601; null: none since the start. */
  readonly lastAcceptedAt: string | null;
  readonly sinceStart: RequestCounts;
  /** Of the last `RECENT_SECONDS`. */
  readonly recent: RequestCounts;
}

interface Counts {
  accepted: number;
  readonly refused: Map<string, number>;
}

interface Slice extends Counts {
  /** Which slice of all time this is. */
  readonly number: number;
}

interface Tally {
  lastAcceptedAt: number | undefined;
  readonly sinceStart: Counts;
  /** A ring: a slice takes the place of one that is too old to count. */
  readonly slices: (Slice | undefined)[];
}

const SLICE_MS = 15_000;
const SLICES = 20;
export const RECENT_SECONDS = (SLICES * SLICE_MS) / 1_000;

/** Answers that say nothing of whether a source's events come in. */
const NEITHER: readonly string[] = ['HANDSHAKE', 'PROBE'];

/**
 * Counts for /status how many requests of each source were accepted and refused, since the start and in the last minutes. It takes only
 * names of configured sources, and codes are few, so its size does not depend on the senders.
 */
export class SourceActivity {
  readonly #tallies = new Map<string, Tally>();
  readonly #clock: () => number;

  /** `clock`: epoch milliseconds. */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  /** `code`: OK, HANDSHAKE, PROBE or why not. */
  answered(source: string, code: string): void {
    if (NEITHER.includes(code)) return;
    const now = this.#clock();
    let tally = this.#tallies.get(source);
    if (!tally) {
      tally = { lastAcceptedAt: undefined, sinceStart: noCounts(), slices: [] };
      this.#tallies.set(source, tally);
    }
    if (code === 'OK') tally.lastAcceptedAt = now;
    count(tally.sinceStart, code);
    count(sliceAt(tally, Math.floor(now / SLICE_MS)), code);
  }

  /** Of these sources, whether anything came of them or not. What is known of others is forgotten: they are not configured any more. */
  report(sources: Iterable<Source>): SourceReport[] {
    const newest = Math.floor(this.#clock() / SLICE_MS);
    const reports = Array.from(sources, ({ name, adapter }): SourceReport => {
      const tally = this.#tallies.get(name);
      const recent = (tally?.slices ?? []).filter(
        (slice) => slice !== undefined && slice.number > newest - SLICES && slice.number <= newest,
      );
      return {
        name,
        esp: adapter.name,
        lastAcceptedAt:
          tally?.lastAcceptedAt === undefined ? null : new Date(tally.lastAcceptedAt).toISOString(),
        sinceStart: sumOf(tally ? [tally.sinceStart] : []),
        recent: sumOf(recent as Slice[]),
      };
    });
    const names = new Set(reports.map(({ name }) => name));
    for (const name of this.#tallies.keys()) if (!names.has(name)) this.#tallies.delete(name);
    return reports;
  }
}

const noCounts = (): Counts => ({ accepted: 0, refused: new Map() });

function sliceAt({ slices }: Tally, number: number): Slice {
  const found = slices[number % SLICES];
  if (found?.number === number) return found;
  const slice = { number, ...noCounts() };
  slices[number % SLICES] = slice;
  return slice;
}

function count(counts: Counts, code: string): void {
  if (code === 'OK') counts.accepted++;
  else counts.refused.set(code, (counts.refused.get(code) ?? 0) + 1);
}

function sumOf(all: readonly Counts[]): RequestCounts {
  const sum = noCounts();
  for (const { accepted, refused } of all) {
    sum.accepted += accepted;
    for (const [code, times] of refused) sum.refused.set(code, (sum.refused.get(code) ?? 0) + times);
  }
  return { accepted: sum.accepted, refused: Object.fromEntries(sum.refused) };
}
