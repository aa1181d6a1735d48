/** Of the instance that had most. */
export interface ServiceMemory {
  /** VmHWM: highest resident size since its start, pages of the mapped store included. */
  readonly peakMb: number;
  /** RssAnon: pages of no file, which the system cannot take back. */
  readonly anonymousMb: number;
}

export interface MemoryOfBoth {
  readonly normalize: ServiceMemory;
  readonly events: ServiceMemory;
}

/** One step with so many instances. */
export interface Row {
  readonly instances: number;
  /** In the dedupe window before the first step. */
  readonly ids: number;
  readonly events: number;
  readonly rounds: number;
  readonly eventsPerSecond: number;
  /** CPU of all instances, microseconds an event. */
  readonly normalizeUs: number;
  readonly eventsUs: number;
  readonly bothUs: number;
  readonly memory: MemoryOfBoth;
}

/** Events of the step that the others are compared with. */
export const REFERENCE_EVENTS = 100_000;

const HEAD = [
  ...['ids known', 'instances', 'events', 'rounds', 'events/s'],
  ...['normalize µs', 'events µs', 'both µs', `to ${shortly(REFERENCE_EVENTS)}`, 'to 1 inst.'],
  ...['normalize MB (anon.)', 'events MB (anon.)'],
];

/** Each row, its cost to that of the reference step, and to that of the same step with one instance. */
export function growthLines(rows: readonly Row[]): string[] {
  const cells = rows.map((row) => [
    ...[shortly(row.ids), String(row.instances), shortly(row.events), String(row.rounds)],
    ...[row.eventsPerSecond.toFixed(0)],
    ...[row.normalizeUs, row.eventsUs, row.bothUs].map((us) => us.toFixed(1)),
    ...[ratio(row, referenceOf(rows, row)), ratio(row, singleOf(rows, row))],
    ...[row.memory.normalize, row.memory.events].map(
      ({ peakMb, anonymousMb }) => `${peakMb} (${anonymousMb})`,
    ),
  ]);
  const lines = [HEAD, ...cells];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => line.map((cell, i) => cell.padStart(widths[i] ?? 0)).join('  '));
}

/** For bench-results: one name a figure. */
export function growthFigures(rows: readonly Row[]): { [figure: string]: number } {
  return Object.fromEntries(
    rows.flatMap((row): [string, number][] => {
      const name = `${shortly(row.ids)}_ids_${row.instances}_instances_${shortly(row.events)}`;
      return [
        [`${name}_events_per_second`, Math.round(row.eventsPerSecond)],
        [`${name}_normalize_cpu_us`, rounded(row.normalizeUs)],
        [`${name}_events_cpu_us`, rounded(row.eventsUs)],
        [`${name}_cpu_us`, rounded(row.bothUs)],
        [`${name}_normalize_peak_mb`, row.memory.normalize.peakMb],
        [`${name}_normalize_anonymous_mb`, row.memory.normalize.anonymousMb],
        [`${name}_events_peak_mb`, row.memory.events.peakMb],
        [`${name}_events_anonymous_mb`, row.memory.events.anonymousMb],
      ];
    }),
  );
}

function referenceOf(rows: readonly Row[], { ids, instances }: Row): Row | undefined {
  return rows.find(
    (row) => row.ids === ids && row.instances === instances && row.events === REFERENCE_EVENTS,
  );
}

function singleOf(rows: readonly Row[], { ids, events }: Row): Row | undefined {
  return rows.find((row) => row.ids === ids && row.instances === 1 && row.events === events);
}

const ratio = (row: Row, other: Row | undefined) =>
  other === undefined ? '–' : (row.bothUs / other.bothUs).toFixed(2);

/** 10000 → 10k, 10000000 → 10M. */
export function shortly(count: number): string {
  if (count >= 1e6 && count % 1e5 === 0) return `${count / 1e6}M`;
  return count >= 1e3 && count % 100 === 0 ? `${count / 1e3}k` : String(count);
}

const rounded = (value: number) => Math.round(value * 10) / 10;
