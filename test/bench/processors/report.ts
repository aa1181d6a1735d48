import type { Outputs } from './outputs.ts';
import type { Round } from './side.ts';
import type { Memory } from './usage.ts';

type Stages = 'both' | 'dedupe';
/** Of ours and of the peer. */
type Pair = readonly Round[];

const FIGURES: { readonly [figure: string]: (round: Round) => number } = {
  'CPU µs an event, whole': ({ cpuSeconds, events }) => (cpuSeconds * 1e6) / events,
  'CPU µs an event, steady': ({ steady }) => (steady.cpuSeconds * 1e6) / steady.events,
  'events/s, whole': ({ events, seconds }) => events / seconds,
  'events/s, steady': ({ steady }) => steady.events / steady.seconds,
  'events a transaction': ({ events, transactions }) => events / transactions,
};

/** What a comparison came to: a table for people, and figures for bench-results. Throws where a side's answers are wrong. */
export class Report {
  readonly figures: { [figure: string]: number | string } = {};
  private readonly lines: string[] = [];
  private readonly warmUps = new Map<Stages, Pair>();
  private readonly rounds = new Map<Stages, Pair[]>();

  warmUp(stages: Stages, pair: Pair): void {
    this.warmUps.set(stages, pair);
    progress(stages, 'warm-up', pair);
  }

  round(stages: Stages, pair: Pair): void {
    const rounds = this.rounds.get(stages) ?? [];
    this.rounds.set(stages, [...rounds, pair]);
    progress(stages, `round ${rounds.length + 1}`, pair);
    const [ours, peer] = pair;
    if (ours?.duplicates !== peer?.duplicates)
      throw new Error(`${ours?.duplicates} duplicates of ours, ${peer?.duplicates} of the peer`);
  }

  outputs(stages: Stages, counts: { expected: number; ours: Outputs; peer: Outputs }): void {
    const { expected, ours, peer } = counts;
    if (ours.records !== expected || peer.records !== expected)
      throw new Error(`${expected} distinct events: ${ours.records} of ours, ${peer.records} of the peer`);
    if (ours.ids !== peer.ids) throw new Error('the two sides wrote other events');
    const same =
      ours.values === peer.values ? 'byte for byte the same' : `${ours.bytes} and ${peer.bytes} bytes`;
    this.lines.push(`${title(stages)}: ${expected} distinct events on both sides' topics, ${same}`);
    Object.assign(this.figures, { [`${stages}_distinct_events`]: expected, [`${stages}_values`]: same });
  }

  memory(name: string, of: { readonly [program: string]: Memory }): void {
    for (const [program, { peakMb, anonymousMb }] of Object.entries(of)) {
      this.lines.push(
        `${name}: ${program} at most ${peakMb} MB resident, ${anonymousMb} MB of no file at the end`,
      );
      this.figures[`${name.replaceAll(/\W+/g, '_')}_${program}_peak_mb`] = peakMb;
    }
  }

  /** The table of medians, with the lowest and the highest of the rounds. */
  render(): string {
    const tables = [...this.rounds].flatMap(([stages, rounds]) => this.table(stages, rounds));
    return `${[...tables, '', ...this.lines].join('\n')}\n`;
  }

  private table(stages: Stages, rounds: readonly Pair[]): string[] {
    const warm = this.warmUps.get(stages) ?? [];
    const rows = [[title(stages), 'email-events', 'kafka-streams', 'ratio']];
    for (const [figure, of] of Object.entries(FIGURES)) {
      const both = rounds.map(([ours, peer]) =>
        [ours, peer].map((round) => (round ? of(round) : Number.NaN)),
      );
      const ours = both.map(([own]) => own ?? Number.NaN);
      const peer = both.map(([, other]) => other ?? Number.NaN);
      const ratios = both.map(([own = Number.NaN, other = Number.NaN]) => own / other);
      rows.push([figure, spread(ours), spread(peer), spread(ratios)]);
      const name = `${stages}_${figure.replaceAll(/\W+/g, '_')}`;
      Object.assign(this.figures, {
        [`${name}_ours`]: spread(ours),
        [`${name}_peer`]: spread(peer),
        [`${name}_ratio`]: spread(ratios),
      });
    }
    const [first, second] = warm.map((round) => FIGURES['CPU µs an event, whole']?.(round) ?? Number.NaN);
    if (first !== undefined && second !== undefined)
      rows.push(['CPU µs an event, warm-up', digits(first), digits(second), digits(first / second)]);
    const widths =
      rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
    return ['', ...rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))];
  }
}

const title = (stages: Stages) => (stages === 'both' ? 'both stages' : 'dedupe stage');

function progress(stages: Stages, what: string, pair: Pair): void {
  const each = pair.map(
    (round) =>
      `${Math.round(round.events / round.seconds)} events/s at ${digits((round.cpuSeconds * 1e6) / round.events)} µs`,
  );
  process.stdout.write(`${title(stages)}, ${what}: ours ${each[0]}, kafka-streams ${each[1]}\n`);
}

/** Median, and in parentheses the lowest and the highest. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[0], sorted.at(-1)];
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return `${digits(median)} (${digits(low ?? Number.NaN)}–${digits(high ?? Number.NaN)})`;
}

const digits = (value: number) =>
  value >= 1_000 ? String(Math.round(value)) : value.toPrecision(3).replace(/\.?0+$/, '');
