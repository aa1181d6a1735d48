import { ratioOf, type Spread, spreadOf } from './rounds.ts';

/** One side in one round. */
export interface Figures {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all threads, over the whole load. */
  readonly cpuUs: number;
  /** The most of its life so far, of all its processes together. */
  readonly peakMb: number;
  /** Of the process that had most. */
  readonly largestMb: number;
  readonly answers: number;
  /** In its topic, of this round. */
  readonly records: number;
}

type Measure = Exclude<keyof Figures, 'answers' | 'records'>;

const MEASURES: { readonly [measure in Measure]: { readonly title: string; readonly digits: number } } = {
  requestsPerSecond: { title: 'req/s', digits: 0 },
  p50Ms: { title: 'p50 ms', digits: 1 },
  p99Ms: { title: 'p99 ms', digits: 1 },
  cpuUs: { title: 'CPU µs/req', digits: 0 },
  peakMb: { title: 'peak MB', digits: 0 },
  largestMb: { title: 'of it one process', digits: 0 },
};
const COLUMN = 22;

/** Each side's median and spread, and what the first one is to each of the others, round by round. */
export function comparisonLines(
  connections: number,
  found: ReadonlyMap<string, readonly Figures[]>,
): string[] {
  const measures = Object.keys(MEASURES) as Measure[];
  const head = measures.map((measure) => MEASURES[measure].title);
  const [first, ...others] = [...found];
  if (!first) return [];
  const valuesOf = (rounds: readonly Figures[], measure: Measure) =>
    rounds.map((figures) => figures[measure]);
  const sides = [...found].map(([name, rounds]) =>
    row(
      name,
      measures.map((measure) => shown(spreadOf(valuesOf(rounds, measure)), MEASURES[measure].digits)),
    ),
  );
  const ratios = others.map(([name, rounds]) =>
    row(
      `${first[0]} / ${name}`,
      measures.map((measure) => shown(ratioOf(valuesOf(first[1], measure), valuesOf(rounds, measure)), 2)),
    ),
  );
  const counted = [...found].map(([name, rounds]) => {
    const sum = (of: 'answers' | 'records') => rounds.reduce((all, figures) => all + figures[of], 0);
    return `${name}: ${sum('answers')} × 200, ${sum('records')} records`;
  });
  const rounds = `${connections} connections, ${first[1].length} rounds: median (least – most)`;
  return [rounds, row('', head), ...sides, ...ratios, counted.join('; ')];
}

export function printComparison(connections: number, found: ReadonlyMap<string, readonly Figures[]>): void {
  process.stdout.write(`\n${comparisonLines(connections, found).join('\n')}\n`);
}

const row = (name: string, cells: readonly string[]) =>
  [name, ...cells]
    .map((cell) => cell.padEnd(COLUMN))
    .join('')
    .trimEnd();

const shown = ({ median, least, most }: Spread, digits: number) =>
  `${median.toFixed(digits)} (${least.toFixed(digits)} – ${most.toFixed(digits)})`;
